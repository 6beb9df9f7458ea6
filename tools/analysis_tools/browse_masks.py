"""Draw masks or regions over their images and print statistics of their number and size.

    python tools/analysis_tools/browse_masks.py IMAGES MASKS OUT
    python tools/analysis_tools/browse_masks.py IMAGES REGIONS sheet.png --sheet --max 24

MASKS is an output folder of tools/generate_masks.py or any other of the same layout: for
images/a/1.jpg, masks/a/1.json (SA-1B's JSON) or masks/a/1.png (a region map). Existing files are
overwritten only with --overwrite, images and masks never.
"""

import os
from pathlib import Path, PurePosixPath

from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.apis.mask_overlay import draw_masks
from mmseg_langseg.fileio import (
    BadFileError,
    ImageSource,
    check_no_overwrite,
    check_not_input,
    decode_image,
    open_image_source,
    raise_machine_fault,
    write_whole_file,
)
from mmseg_langseg.masks.formats import (
    lookup_rles,
    merge_rles,
    read_mask_file,
    read_region_map,
    rle_area,
)
from mmseg_langseg.masks.generators import regions_to_rles

import cv2
import numpy as np

# Upper bounds of the area bins, as shares of the image.
AREAS = (0.0001, 0.001, 0.01, 0.1, 1.0)
SHEET_WIDTH, CELL = 6, 320
# Longest side of a picture.
LONGEST = 1600


def find_masks(root: Path, name: str) -> Path:
    """Return the mask file of an image: JSON or, if there is none, PNG.

    Raises:
        BadFileError: If there is neither.
    """
    stem = root / PurePosixPath(name)
    for suffix in ('.json', '.png'):
        if stem.with_suffix(suffix).is_file():
            return stem.with_suffix(suffix)
    raise BadFileError(f'{name}: no mask file in {root}')


def load_masks(path: Path, size: tuple[int, int]) -> list[dict]:
    """Read the masks of an image of a height and width as COCO RLEs.

    Raises:
        BadFileError: If the file is damaged or belongs to another image.
    """
    if path.suffix == '.json':
        return read_mask_file(path, size)
    return regions_to_rles(read_region_map(path, size))


class Statistics:
    """Statistics of masks: number, areas, and coverage of the images."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.shares: list[float] = []
        self.coverages: list[float] = []

    def add(self, rles: list[dict], size: tuple[int, int]) -> None:
        """Add the masks of an image of a height and width."""
        pixels = size[0] * size[1]
        self.counts.append(len(rles))
        self.shares += [rle_area(rle) / pixels for rle in rles]
        covered = rle_area(merge_rles(rles)) if rles else 0
        self.coverages.append(covered / pixels)

    def __str__(self) -> str:
        """Return the statistics as a few lines of text."""
        counts = np.array(self.counts)
        lines = [
            f'images            {len(counts)}',
            f'masks             {counts.sum()}',
            f'masks per image   mean {counts.mean():.1f}, median {np.median(counts):.0f}, '
            f'from {counts.min()} to {counts.max()}; {(counts == 0).sum()} images have none',
            f'coverage          mean {np.mean(self.coverages):.1%}, '
            f'from {min(self.coverages):.1%} to {max(self.coverages):.1%}',
            'area, share of the image',
        ]
        histogram = np.histogram(self.shares, bins=(0, *AREAS))[0]
        for lower, upper, number in zip((0, *AREAS), AREAS, histogram, strict=False):
            share = number / max(len(self.shares), 1)
            bar = '#' * round(40 * share)
            lines.append(f'  {lower:>7.2%} to {upper:>7.2%} {number:>8} {share:>6.1%} {bar}')
        return '\n'.join(lines)


def browse(
    source: ImageSource,
    masks: Path,
    out: Path | None,
    sheet: bool = False,
    limit: int = 100,
    overwrite: bool = False,
) -> Statistics:
    """Draw images up to a limit and compute statistics of all masks.

    Args:
        source: Image source.
        masks: Folder of the mask files.
        out: Output folder, or file of the contact sheet; ``None`` draws nothing.
        sheet: Draw one contact sheet.
        limit: Number of images to draw.
        overwrite: Replace files that exist.

    Raises:
        FileExistsError: If a drawing exists and ``overwrite`` is False.
        ValueError: If no image has usable masks, the sheet has an unsupported suffix, or an image
            or a mask file would be overwritten.
    """
    if sheet and (out is None or out.suffix not in ('.png', '.jpg')):
        raise ValueError(f"the sheet should be a .png or .jpg file, got '{out}'")
    statistics, cells = Statistics(), []
    owners = {}
    for name in source.names:
        owners.setdefault(PurePosixPath(name).with_suffix(''), name)
    if out is not None:
        drawings = [out] if sheet else [_drawing(out, name) for name in owners.values()]
        _check_drawings(drawings, source, masks, overwrite)
    for name in source.names:
        owner = owners[PurePosixPath(name).with_suffix('')]
        if owner != name:
            print(f'{name}: {owner} has the same mask file')
            continue
        try:
            image = decode_image(source.read(name))
            rles = load_masks(find_masks(masks, name), image.shape[:2])
        except (OSError, BadFileError) as error:
            raise_machine_fault(error)
            print(f'{name}: {error}')
            continue
        statistics.add(rles, image.shape[:2])
        if out is None or len(statistics.counts) > limit:
            continue
        if sheet:
            cells.append(_cell(_draw(image, rles, CELL - 4)))
        else:
            drawn = _draw(image, rles, LONGEST)
            _write_image(_drawing(out, name), drawn, overwrite)
    if not statistics.counts:
        raise ValueError(f"no image has usable masks in '{masks}'")
    if cells:
        _write_image(out, _join(cells), overwrite)
    return statistics


def _draw(image: np.ndarray, rles: list[dict], longest: int) -> np.ndarray:
    """Draw masks over an image, downscaled to the longest side if it is larger."""
    factor = min(1, longest / max(image.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    rows, cols = (
        (2 * np.arange(small) + 1) * side // (2 * small)
        for small, side in zip((height, width), image.shape[:2], strict=True)
    )
    masks = lookup_rles(rles, rows[:, None] * image.shape[1] + cols)
    return draw_masks(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), masks)


def _cell(image: np.ndarray) -> np.ndarray:
    """Center an image in a square."""
    cell = np.full((CELL, CELL, 3), 255, np.uint8)
    top, left = ((CELL - side) // 2 for side in image.shape[:2])
    cell[top : top + image.shape[0], left : left + image.shape[1]] = image
    return cell


def _join(cells: list[np.ndarray]) -> np.ndarray:
    columns = min(SHEET_WIDTH, len(cells))
    cells = cells + [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)


def _drawing(out: Path, name: str) -> Path:
    return out / PurePosixPath(name).with_suffix('.jpg')


def _check_drawings(
    drawings: list[Path], source: ImageSource, masks: Path, overwrite: bool
) -> None:
    """Check that no file would be lost."""
    stems = [masks / PurePosixPath(name) for name in source.names]
    inputs = [stem.with_suffix(suffix) for stem in stems for suffix in ('.json', '.png')]
    if source.root is not None:
        inputs += [source.root / name for name in source.names]
    check_no_overwrite(drawings, inputs)
    found = next((path for path in drawings if not overwrite and os.path.lexists(path)), None)
    if found is not None:
        raise FileExistsError(f"'{found}' exists; give an empty folder, or --overwrite")


def _write_image(path: Path, image: np.ndarray, overwrite: bool) -> None:
    content = cv2.imencode(path.suffix, image[..., ::-1])[1].tobytes()
    write_whole_file(path, content, replace=overwrite)


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        'images', metavar='IMAGES', type=Path, help='image folder, tar archive, or file list'
    )
    parser.add_argument('masks', metavar='MASKS', type=Path, help='folder of the mask files')
    parser.add_argument(
        'out', metavar='OUT', type=Path, nargs='?', help='output folder; default: statistics only'
    )
    parser.add_argument('--sheet', action='store_true', help='draw one contact sheet to OUT')
    parser.add_argument(
        '--max', type=positive_int, default=100, help='images to draw; statistics cover all'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace files of the same name in OUT'
    )
    parser.add_argument('--root', type=Path, help='base folder of listed paths')
    args = parser.parse_args(argv)
    source = open_image_source(args.images, args.root, exclude=args.masks)
    if args.out is not None:
        check_not_input(args.out, [args.images, args.masks, *([args.root] if args.root else [])])
        if args.images.is_dir() and args.images.resolve() in args.out.resolve().parents:
            raise ValueError(
                f"OUT '{args.out}' is in '{args.images}', where drawings would be taken for "
                'images; give another path'
            )
    statistics = browse(source, args.masks, args.out, args.sheet, args.max, args.overwrite)
    print(statistics)


if __name__ == '__main__':
    run_command(main)
