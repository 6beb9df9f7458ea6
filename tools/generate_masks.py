"""Generate class-agnostic masks or region maps for a folder, list or tar of images.

    python tools/generate_masks.py data/photos/images data/photos/masks
    python tools/generate_masks.py data/photos/images data/photos/regions --format regions
    python tools/generate_masks.py sa_000020.tar masks --generator sam --shard 3/8 \
        --options model=vit_h checkpoint=sam_vit_h_4b8939.pth points_per_batch=256

No labels are needed. One file per image, in the same folder tree. Complete files are kept, so
interrupted runs resume where they stopped; files of another origin are never overwritten.
docs/masks.md explains the formats and the generators.
"""

import argparse
from pathlib import Path

from mmseg_langseg.apis.command_line import (
    command_parser,
    device_name,
    run_command,
)
from mmseg_langseg.apis.config_options import ConfigOptions, as_typed
from mmseg_langseg.apis.resources import documentation_page
from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import GENERATORS, build_generator
from mmseg_langseg.masks.runs import generate_masks, parse_shard

import torch


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    page = documentation_page('masks.md').replace('%', '%%')  # argparse formats the help
    parser = command_parser(__doc__.splitlines()[0])
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
        '--shard', type=parse_shard, default=(0, 1), metavar='I/N', help='shard: 0/N to N-1/N'
    )
    parser.add_argument(
        '--root', type=Path, help='base folder of listed paths; default: that of the list'
    )
    parser.add_argument(
        '--device',
        type=device_name,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='device of sam and dino; default: %(default)s',
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    source = open_image_source(args.input, args.root, exclude=args.out)
    # No generator takes a list, and a file may have a comma in its name.
    options = {key: as_typed(value) for key, value in args.options.items()}
    generator = build_generator(args.generator, args.device, **options)
    report = generate_masks(
        source, args.out, generator, args.generator, args.format, args.shard, not args.quiet
    )
    print(f'{args.out}:', report.describe('regions' if args.format == 'regions' else 'masks'))


if __name__ == '__main__':
    run_command(main)
