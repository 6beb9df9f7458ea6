"""Generate class-agnostic masks or region maps on a Ray cluster, or with a local Ray.

    python tools/generate_masks_ray.py data/photos/images data/photos/masks
    RAY_ADDRESS=auto python tools/generate_masks_ray.py sa_000020.tar masks --generator sam \
        --options model=vit_h checkpoint=/shared/sam_vit_h_4b8939.pth

Same input, options and output as tools/generate_masks.py. Workers that die are replaced.
Interrupted runs resume, also with the other tool. docs/masks.md explains what a cluster needs.
"""

import argparse
import os
import re
import socket

from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.apis.generation_options import add_generation_options, chosen_generator
from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.runs import generate_masks_on_ray

# The other generators do not use a GPU.
ON_GPU = ('dino', 'sam')
PATIENCE = 10
"""Seconds to wait for the address of a cluster to answer."""
TOKEN_ADVICE = (
    'if the cluster uses token authentication, set RAY_AUTH_MODE=token and have its token in '
    '~/.ray/auth_token or RAY_AUTH_TOKEN'
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    add_generation_options(parser)
    parser.add_argument(
        '--workers',
        type=positive_int,
        metavar='N',
        help='workers; default: one per GPU of the cluster for sam and dino, else one per CPU',
    )
    return parser.parse_args(argv)


def connect() -> dict[str, float]:
    """Connect to the cluster of RAY_ADDRESS, or start Ray here; return the resources."""
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
        import ray
    except ImportError as error:
        raise ImportError("Ray is not installed: pip install 'mmseg_langseg[ray]'") from error
    check_address(os.environ.get('RAY_ADDRESS', ''))
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level='error')
    except ConnectionError as error:
        raise ConnectionError(f'{error}; {TOKEN_ADVICE}') from error
    return ray.cluster_resources()


def check_address(address: str) -> None:
    """Raise ``ConnectionError`` if a cluster does not answer: Ray would try for minutes."""
    match = re.fullmatch(r'(?:ray://)?\[?([^/]+?)\]?:(\d{1,5})', address)
    if match is None:
        return
    try:
        socket.create_connection((match[1], int(match[2])), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"no Ray cluster answers at RAY_ADDRESS='{address}' ({error}); start one there with "
            "'ray start --head', or unset RAY_ADDRESS to use this machine alone"
        ) from error


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    source = open_image_source(args.input, args.root, exclude=args.out)
    resources = connect()
    gpus = int(resources.get('GPU', 0)) if args.generator in ON_GPU else 0
    build = chosen_generator(args, 'cuda' if gpus else 'cpu')
    report = generate_masks_on_ray(
        source,
        args.out,
        build,
        args.generator,
        args.format,
        workers=args.workers or gpus or int(resources['CPU']),
        gpus_per_worker=1 if gpus else 0,
        progress=not args.quiet,
    )
    print(f'{args.out}:', report.describe('regions' if args.format == 'regions' else 'masks'))


if __name__ == '__main__':
    run_command(main)
