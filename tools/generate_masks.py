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

from mmseg_langseg.apis.command_line import command_parser, device_name, run_command
from mmseg_langseg.apis.generation_options import add_generation_options, chosen_generator
from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.runs import generate_masks, parse_shard

import torch


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    add_generation_options(parser)
    parser.add_argument(
        '--shard', type=parse_shard, default=(0, 1), metavar='I/N', help='shard: 0/N to N-1/N'
    )
    parser.add_argument(
        '--device',
        type=device_name,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='device of sam and dino; default: %(default)s',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    source = open_image_source(args.input, args.root, exclude=args.out)
    generator = chosen_generator(args, args.device)()
    report = generate_masks(
        source, args.out, generator, args.generator, args.format, args.shard, not args.quiet
    )
    print(f'{args.out}:', report.describe('regions' if args.format == 'regions' else 'masks'))


if __name__ == '__main__':
    run_command(main)
