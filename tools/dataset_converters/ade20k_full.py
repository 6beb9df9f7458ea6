"""Convert the full ADE20K (ADE20K_2021_17_01) to the 847-class benchmark.

    python tools/dataset_converters/ade20k_full.py data/ade/ADE20K_2021_17_01

As in MaskFormer: images and labels with a short side above 512 are downscaled to it, and all
classes but 847 are ignored. Reads ROOT/images/ADE/validation; writes images_847/validation/*.jpg
and annotations_847/validation/*.png (16 bits, 65535 = ignored). Existing files are kept, so
interrupted runs resume where they stopped. Unusable files are listed at the end and do not stop the
conversion.
"""

import io
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.datasets.ade20k_full_classes import ADE847_RAW_IDS
from mmseg_langseg.datasets.label_conversion import IGNORE, convert_files, encode_labels, read_rgb

import cv2
import numpy as np
from PIL import Image

SHORT_SIDE = 512


def label_table() -> np.ndarray:
    """Return the label of each raw number ``256 * (R // 10) + G`` of ADE20K's PNGs, uint16."""
    table = np.full(256 * 26, IGNORE, np.uint16)
    table[list(ADE847_RAW_IDS)] = np.arange(len(ADE847_RAW_IDS))
    return table


def target_size(height: int, width: int) -> tuple[int, int]:
    """Return width and height after downscaling."""
    short = min(height, width)
    if short <= SHORT_SIDE:
        return width, height
    scaled = round(max(height, width) / short * SHORT_SIDE)
    return (scaled, SHORT_SIDE) if width >= height else (SHORT_SIDE, scaled)


def convert_image(path: Path, table: np.ndarray) -> tuple[bytes, bytes]:
    """Convert an image and its labels to JPEG and PNG.

    Raises:
        ValueError: If one of them cannot be decoded, or they differ in size.
        OSError: If one of them is missing.
    """
    label_path = path.with_name(f'{path.stem}_seg.png')
    image, colors = read_rgb(path), read_rgb(label_path).astype(np.int32)
    if image.shape != colors.shape:
        raise ValueError(
            f'the image has height x width {list(image.shape[:2])}, {label_path.name} '
            f'{list(colors.shape[:2])}'
        )
    labels = table[colors[..., 0] // 10 * 256 + colors[..., 1]]
    size = target_size(*labels.shape)
    if size != labels.shape[::-1]:
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    jpeg = io.BytesIO()
    Image.fromarray(image).save(jpeg, 'JPEG')  # MaskFormer's quality: Pillow's default
    return jpeg.getvalue(), encode_labels(labels)


def find_jobs(root: Path, split: str) -> list[tuple[Path, tuple[Path, Path]]]:
    """Find the images of a split and the files to write.

    Raises:
        FileNotFoundError: If the folder is missing or holds no image.
    """
    folder = root / 'images' / 'ADE' / split
    images = sorted(folder.rglob('ADE_*.jpg'))
    if not images:
        raise FileNotFoundError(f"no image ADE_*.jpg below '{folder}': expected ADE20K_2021_17_01")
    out = root / 'images_847' / split, root / 'annotations_847' / split
    return [(i, (out[0] / i.name, out[1] / f'{i.stem}.png')) for i in images]


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('root', metavar='ROOT', type=Path, help='folder ADE20K_2021_17_01')
    parser.add_argument('--split', choices=['validation', 'training'], default='validation')
    args = parser.parse_args(argv)
    table = label_table()
    jobs = find_jobs(args.root, args.split)
    report = convert_files(jobs, lambda path: convert_image(path, table))
    print(f'{args.root}: {report.written} images converted, {report.existed} existed')
    if report.bad:
        raise SystemExit('\n'.join([f'{len(report.bad)} images cannot be used:', *report.bad]))


if __name__ == '__main__':
    run_command(main)
