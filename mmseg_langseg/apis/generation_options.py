"""Command-line options of mask generation."""

import argparse
from functools import partial
from pathlib import Path

from mmseg_langseg.masks.generators import GENERATORS, MaskGenerator, build_generator

from .config_options import ConfigOptions, as_typed
from .resources import documentation_page


def add_generation_options(parser: argparse.ArgumentParser) -> None:
    """Add the images, the output folder, the format, and the generator with its options."""
    page = documentation_page('masks.md').replace('%', '%%')  # argparse formats the help
    parser.add_argument(
        'input', metavar='INPUT', type=Path, help='image folder, tar archive, or file list'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='output folder')
    parser.add_argument('--generator', choices=GENERATORS, default='felzenszwalb')
    parser.add_argument(
        '--format',
        choices=('sa1b', 'regions'),
        default='sa1b',
        help='sa1b: JSON of masks, for PixelCLIP; regions: 16-bit PNG, for CLIP-S4',
    )
    parser.add_argument(
        '--options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help=f'options of the generator, see {page}',
    )
    parser.add_argument(
        '--root', type=Path, help='base folder of listed paths; default: that of the list'
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def chosen_generator(args: argparse.Namespace, device: str) -> 'partial[MaskGenerator]':
    """Return a function that builds the generator of the options.

    Args:
        args: Options of :func:`add_generation_options`.
        device: Device of sam and dino.
    """
    # No generator takes a list, and a file may have a comma in its name.
    options = {key: as_typed(value) for key, value in args.options.items()}
    return partial(build_generator, args.generator, device, **options)
