"""Evaluate embeddings without text: ``python tools/test_unsupervised.py CONFIG [CHECKPOINT]``.

k-means over the embeddings with Hungarian matching, or nearest-neighbor retrieval. Prints the
mIoU together with a description of the protocol (docs/clips4_evaluation.md).
"""

import argparse
from collections.abc import Sequence

from mmseg_langseg.apis.command_line import (
    add_benchmark_option,
    add_config_options,
    add_trust_option,
    command_parser,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.config_checks import check_can_test
from mmseg_langseg.apis.config_file import merge_options
from mmseg_langseg.apis.config_options import ConfigOptions
from mmseg_langseg.apis.data_check import check_data, check_not_among_data, ignored_label
from mmseg_langseg.apis.launch import check_checkpoint, launch_runner, load_config
from mmseg_langseg.datasets import check_labels
from mmseg_langseg.evaluation import evaluate_kmeans, evaluate_retrieval
from mmseg_langseg.fileio import trusted_checkpoint

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        'config', help='config file, or the name of a config, e.g. pixelclip/vit-b16_coco'
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='none',
        help='weights; omitted or "none" tests the untrained model',
    )
    parser.add_argument('--protocol', choices=['kmeans', 'retrieval'], default='kmeans')
    parser.add_argument(
        '--clusters', type=positive_int, help='k-means: clusters; default: number of classes'
    )
    parser.add_argument(
        '--points', type=positive_int, default=50_000, help='k-means: cells to cluster'
    )
    parser.add_argument('--seed', type=seed_int, default=0, help='k-means: random seed')
    parser.add_argument(
        '--neighbors', type=positive_int, default=20, help='retrieval: number of neighbors'
    )
    parser.add_argument(
        '--memory-split',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='retrieval: options that turn the test dataset into the labeled memory, e.g. '
        "ann_file=ImageSets/Segmentation/train.txt; default: the config's memory_split",
    )
    parser.add_argument(
        '--memory-images',
        type=positive_int,
        default=2000,
        help='retrieval: maximum number of images, evenly spaced over the memory split',
    )
    parser.add_argument('--work-dir', help='folder for the log')
    add_benchmark_option(parser)
    add_config_options(parser, 'test_dataloader.batch_size=4')
    add_trust_option(parser)
    return parser.parse_args(argv)


def memory_loader(cfg: Config, changes: dict | None, max_images: int) -> DataLoader:
    """Build the loader of the labeled memory: the test loader on another split."""
    changes = changes or cfg.get('memory_split')
    if not changes:
        raise ValueError(
            f'{cfg.filename} has no `memory_split`: give --memory-split KEY=VALUE, which turns '
            'its test_dataloader.dataset into the labeled training split.'
        )
    loader = Config(dict(dataset=cfg.test_dataloader.dataset.to_dict()))
    merge_options(loader, {f'dataset.{key}': value for key, value in changes.items()})
    dataset = DATASETS.build(loader.dataset)
    check_labels(dataset, ignored=ignored_label(cfg, 'test_dataloader'))
    if max_images < len(dataset):
        dataset.get_subset_(np.linspace(0, len(dataset) - 1, max_images).astype(int).tolist())
    return Runner.build_dataloader({**cfg.test_dataloader, 'dataset': dataset})


def main(argv: Sequence[str] | None = None) -> dict[str, float | str]:
    args = parse_args(argv)
    cfg = load_config(args.config, args.work_dir, args.cfg_options, benchmark=args.benchmark)
    cfg.load_from = None if args.checkpoint == 'none' else check_checkpoint(args.checkpoint)
    cfg.resume = False
    check_can_test(cfg)
    check_not_among_data(cfg.work_dir, check_data(cfg, 'test_dataloader'), '--work-dir')
    with trusted_checkpoint(cfg.load_from if args.trust_checkpoint else None):
        runner = launch_runner(cfg)
        runner.load_or_resume()
    loader = Runner.build_dataloader(cfg.test_dataloader)
    if args.protocol == 'kmeans':
        result = evaluate_kmeans(runner.model, loader, args.clusters, args.seed, args.points)
    else:
        memory = memory_loader(cfg, args.memory_split, args.memory_images)
        result = evaluate_retrieval(runner.model, loader, memory, args.neighbors)
    runner.logger.info(f'mIoU {result.miou:.2f} %\nProtocol: {result.protocol}')
    return dict(mIoU=result.miou, protocol=result.protocol)


if __name__ == '__main__':
    run_command(main)
