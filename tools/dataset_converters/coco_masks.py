"""Convert COCO annotations to class-agnostic masks in SA-1B's JSON format.

    python tools/dataset_converters/coco_masks.py panoptic_train2017.json data/coco/masks/train2017
    python tools/dataset_converters/coco_masks.py instances_train2017.json data/coco/masks/train2017

One file per image, with the same stem; categories are dropped, crowds are kept as one mask. An
image with an invalid annotation gets no file and is listed at the end. Complete files are kept, so
interrupted runs resume where they stopped; files of another origin are never overwritten.
"""

import argparse
import hashlib
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.fileio import ImageSource, check_not_input
from mmseg_langseg.masks.formats import (
    CocoAnnotations,
    instance_rles,
    panoptic_rles,
    read_coco_annotations,
    read_mask_file,
    write_mask_file,
)
from mmseg_langseg.masks.runs import ShardReport, ShardRun
from mmseg_langseg.masks.runs.shard_run import UNUSABLE


class Conversion(ShardRun):
    """Run that writes the mask files of the images of an annotation file."""

    def __init__(self, coco: CocoAnnotations, out: Path, png_dir: Path, inputs: list[Path]) -> None:
        source = ImageSource(sorted(coco.images), unreadable=coco.bad)
        super().__init__(source, (0, 1), lambda name: ((out / name).with_suffix('.json'),), inputs)
        self.coco = coco
        self.png_dir = png_dir

    def make(self, names: list[str]) -> None:
        """Write the mask files of some images."""
        for name in names:
            image = self.coco.images[name]
            try:
                if self.coco.panoptic:
                    rles = panoptic_rles(image, self.png_dir)
                else:
                    rles = instance_rles(image)
            except UNUSABLE as error:
                self.skip(name, error)
                continue
            write_mask_file(self.files[name][0], rles, image.size, name, image.number)
            self.add(len(rles))

    def count(self, path: Path) -> int:
        """Return the number of masks in a file."""
        return len(read_mask_file(path))


def convert(
    annotations: Path, out: Path, png_dir: Path | None = None, progress: bool = True
) -> ShardReport:
    """Write the mask files of all images of an annotation file.

    Args:
        annotations: Panoptic or instances JSON.
        out: Folder of the mask files, created if needed.
        png_dir: Folder of the panoptic PNGs; by default the JSON's path without its suffix.
        progress: Show a progress bar.

    Returns:
        Report with the counts, and the images and annotations that could not be used.

    Raises:
        FileNotFoundError: If the JSON or the PNG folder is missing.
        ValueError: If it is not an annotation file, no image of it can be used, or OUT holds files
            of another origin or of another annotation file.
    """
    content = annotations.read_bytes()
    coco = read_coco_annotations(content, annotations)
    png_dir = png_dir or annotations.with_suffix('')
    if coco.panoptic:
        if not png_dir.is_dir():
            raise FileNotFoundError(
                f"no folder '{png_dir}' with the panoptic PNGs; --png-dir sets another"
            )
        check_not_input(out, [png_dir])
    settings = dict(
        tool='coco_masks',
        annotations=hashlib.sha256(content).hexdigest()[:16],
        panoptic=coco.panoptic,
    )
    run = Conversion(coco, out, png_dir, [annotations])
    report = run.run(out, settings, ('numpy', 'pycocotools'), 'convert', progress=progress)
    if not report.made + report.kept:
        reasons = '; '.join(f'{name:.100}: {reason:.500}' for name, reason in report.unreadable[:3])
        raise ValueError(f"'{annotations}' holds no image that can be used: {reasons}")
    return report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        'annotations', metavar='ANNOTATIONS', type=Path, help='panoptic or instances JSON of COCO'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder of the mask files')
    parser.add_argument(
        '--png-dir', type=Path, help="panoptic PNG folder; default: the JSON's path without .json"
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    report = convert(args.annotations, args.out, args.png_dir, not args.quiet)
    print(f'{args.out}:', report.describe())


if __name__ == '__main__':
    run_command(main)
