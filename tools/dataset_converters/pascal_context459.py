"""Convert the .mat files of PASCAL Context to label maps of its 459 classes.

    python tools/dataset_converters/pascal_context459.py data/VOCdevkit/VOC2010

Reads ROOT/trainval/*.mat and writes ROOT/SegmentationContext459/*.png (16 bits): the number in
LabelMap minus 1, or 65535 (ignored) where it is 0. Existing files are kept, so interrupted runs
resume where they stopped. Unusable files are listed at the end and do not stop the conversion.
"""

from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.datasets import PascalContext459Dataset
from mmseg_langseg.datasets.label_conversion import IGNORE, convert_files, encode_labels

import numpy as np
import scipy.io

NUM_CLASSES = len(PascalContext459Dataset.METAINFO['classes'])
MAX_PIXELS = 10_000_000  # photos of VOC have at most 500 x 500


def convert_mat(path: Path) -> tuple[bytes]:
    """Convert a .mat file to a label PNG.

    Raises:
        ValueError: If the file cannot be read or is not a label map of PASCAL Context.
    """
    _check_header(path)
    try:
        numbers = scipy.io.loadmat(path, variable_names=['LabelMap'])['LabelMap']
    except Exception as error:  # scipy raises many types for damaged files
        raise ValueError(f'not a readable .mat file ({error})') from error
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in 'uif':
        raise ValueError('LabelMap holds no numbers')
    if not (np.isfinite(numbers) & (numbers == np.trunc(numbers))).all():
        raise ValueError('LabelMap holds fractions or infinite numbers: expected whole numbers')
    numbers = numbers.astype(np.int64)
    if numbers.min() < 0 or numbers.max() > NUM_CLASSES:
        raise ValueError(
            f'LabelMap holds numbers {numbers.min()} to {numbers.max()}: expected 0 to '
            f'{NUM_CLASSES}'
        )
    return (encode_labels(np.where(numbers == 0, IGNORE, numbers - 1)),)


def _check_header(path: Path) -> None:
    """Check the size before loading the matrix: a small file may unpack to a huge one."""
    try:
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    except Exception as error:
        raise ValueError(f'not a readable .mat file ({error})') from error
    shape = shapes.get('LabelMap', ())
    if len(shape) != 2 or 0 in shape:
        raise ValueError('holds no label map: expected a matrix LabelMap')
    if shape[0] * shape[1] > MAX_PIXELS:
        raise ValueError(f'LabelMap has {shape[0]} x {shape[1]} pixels: expected a photo')


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('root', metavar='ROOT', type=Path, help='folder VOC2010')
    args = parser.parse_args(argv)
    folder, out = args.root / 'trainval', args.root / 'SegmentationContext459'
    mats = sorted(folder.glob('*.mat'))
    if not mats:
        raise FileNotFoundError(f"no .mat file in '{folder}'")
    report = convert_files([(mat, (out / f'{mat.stem}.png',)) for mat in mats], convert_mat)
    print(f'{out}: {report.written} label maps written, {report.existed} existed')
    if report.bad:
        raise SystemExit('\n'.join([f'{len(report.bad)} files cannot be used:', *report.bad]))


if __name__ == '__main__':
    run_command(main)
