"""Halve the size of images and their masks, as in PixelCLIP's preparation of SA-1B.

    python tools/dataset_converters/halve_sa1b.py data/sa1b data/sa1b_half
    python tools/dataset_converters/halve_sa1b.py sa_000020.tar data/sa1b_half --shard 3/8

IN is a folder with images/ and annotations/, or a folder or tar in which images and JSON files are
side by side. OUT gets images/ and annotations/; those of a tar are in a folder of the same name.
Complete files are kept, so interrupted runs resume where they stopped; files of another origin are
never overwritten.
"""

from collections.abc import Callable
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, integer_in, run_command
from mmseg_langseg.fileio import ImageSource, check_not_input, open_image_source
from mmseg_langseg.masks.runs import halve_images, parse_shard


def open_input(path: Path, out: Path) -> tuple[ImageSource, Callable[[str], bytes], str]:
    """Find the images and their mask files.

    Returns:
        The images, a function that reads their mask files, and the subfolder of the results.

    Raises:
        OSError: If there is no such folder or tar.
        ValueError: If it holds no image, is neither, or its files would be overwritten.
    """
    if path.is_dir():
        inputs = [path, path / 'images', path / 'annotations']
        for folder in ('images', 'annotations'):
            check_not_input(out / folder, inputs)
        if (path / 'images').is_dir() and (path / 'annotations').is_dir():
            masks = path / 'annotations'
            source = open_image_source(path / 'images', exclude=out)
            return source, lambda name: (masks / name).read_bytes(), ''
        source = open_image_source(path, exclude=out)
        return source, source.read, ''
    source = open_image_source(path)
    if source.archive is None:
        raise ValueError(f"'{path}' should be a folder or a tar")
    return source, source.read, path.name.split('.')[0]


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('input', metavar='IN', type=Path, help='folder or tar')
    parser.add_argument('out', metavar='OUT', type=Path, help='output folder')
    parser.add_argument(
        '--shard', type=parse_shard, default=(0, 1), metavar='I/N', help='shard: 0/N to N-1/N'
    )
    parser.add_argument(
        '--quality', type=integer_in(1, 100), default=95, help='JPEG quality; default: %(default)s'
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    args = parser.parse_args(argv)
    source, read_masks, below = open_input(args.input, args.out)
    report = halve_images(
        source, read_masks, args.out, below, args.shard, args.quality, not args.quiet
    )
    print(f'{args.out}:', report.describe())


if __name__ == '__main__':
    run_command(main)
