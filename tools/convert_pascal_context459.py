"""Makes the label maps of PASCAL Context's 459 classes from its .mat files.

    python tools/convert_pascal_context459.py data/VOCdevkit/VOC2010

Reads ROOT/trainval/*.mat and writes ROOT/SegmentationContext459/*.png (16 bits): the number in
LabelMap less one, 65535 (ignored) where it is 0. A file that exists is left alone, so a run that
was broken off goes on where it stopped. A file that cannot be used is named at the end and costs
nothing else.
"""

import argparse
from pathlib import Path

from mmseg_langseg.datasets import PascalContext459Dataset
from mmseg_langseg.datasets.label_conversion import IGNORE, convert_files, encode_labels

import numpy as np
import scipy.io

NUM_CLASSES = len(PascalContext459Dataset.METAINFO['classes'])


def convert_mat(path: Path) -> tuple[bytes]:
    """Label PNG of a .mat file.

    Raises:
        ValueError: If the file cannot be read, or is no label map of PASCAL Context.
    """
    try:
        content = scipy.io.loadmat(path)
    except Exception as error:  # scipy has a dozen kinds for a damaged file
        raise ValueError(f'no readable .mat file ({error})') from error
    numbers = content.get('LabelMap')
    if numbers is None or numbers.ndim != 2:
        raise ValueError('holds no label map: expected a matrix LabelMap')
    numbers = numbers.astype(np.int64)
    if numbers.min() < 0 or numbers.max() > NUM_CLASSES:
        raise ValueError(
            f'LabelMap holds numbers {numbers.min()} to {numbers.max()}: expected 0 to '
            f'{NUM_CLASSES}'
        )
    return (encode_labels(np.where(numbers == 0, IGNORE, numbers - 1)),)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', metavar='ROOT', type=Path, help='folder VOC2010')
    args = parser.parse_args(argv)
    folder, out = args.root / 'trainval', args.root / 'SegmentationContext459'
    mats = sorted(folder.glob('*.mat'))
    if not mats:
        raise SystemExit(f"convert_pascal_context459: no .mat file in '{folder}'")
    try:
        report = convert_files([(mat, (out / f'{mat.stem}.png',)) for mat in mats], convert_mat)
    except OSError as error:
        raise SystemExit(f'convert_pascal_context459: {error}') from error
    print(f'{out}: {report.written} label maps written, {report.existed} existed')
    if report.bad:
        raise SystemExit('\n'.join([f'{len(report.bad)} files cannot be used:', *report.bad]))


if __name__ == '__main__':
    main()
