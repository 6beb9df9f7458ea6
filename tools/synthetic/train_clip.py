"""Train a tiny CLIP of the synthetic dataset on its captions and write a compact file.

The image tower and the text tower are open_clip's own classes. Of the 49408 token embeddings, only
those used by captions are part of the trained model; the others keep their seeded initial values
and are not stored. With --teacher, only an image tower is trained, a vision transformer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from mmseg_langseg.apis.command_line import (
    command_parser,
    number_in,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.synthetic import renderer, shapes
from mmseg_langseg.synthetic.renderer import OBJECT_CLASSES, render_scene

import numpy as np
import torch
from clip_output import check_outputs, write_clip, write_log
from compact_training import CompactTraining
from evaluate_clip import TEMPLATES, evaluate, load_scenes, normalize
from locked_text import LockedTextTraining, read_teacher
from mmengine.utils import ProgressBar
from torch import Tensor, nn

CHUNK = 250


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        '--out', type=Path, required=True, help='file to write, *.pth; must not exist'
    )
    parser.add_argument('--seed', type=seed_int, default=0)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument('--steps', type=positive_int, help='training steps (reproducible)')
    length.add_argument(
        '--seconds', type=number_in(0, above=True), help='training time instead of a step count'
    )
    parser.add_argument(
        '--tower', default='langseg_resnet_tiny', help='a timm model; ignored with --teacher'
    )
    parser.add_argument(
        '--teacher',
        type=Path,
        help='compact CLIP file; trains a vision transformer against its frozen text tower',
    )
    parser.add_argument(
        '--distillation',
        type=number_in(0),
        default=10.0,
        help="weight of the distance from the teacher's image embeddings; only with --teacher",
    )
    parser.add_argument(
        '--close-ups',
        type=number_in(0, 1),
        default=0.3,
        help='share of the training on crops of single objects',
    )
    parser.add_argument('--batch-size', type=positive_int, default=64)
    parser.add_argument('--lr', type=number_in(0, above=True), default=2e-3)
    parser.add_argument(
        '--pool-size', type=positive_int, default=30000, help='scenes of the clip split'
    )
    parser.add_argument('--pool-dir', type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument('--threads', type=positive_int, default=2)
    parser.add_argument('--test-scenes', type=positive_int, default=1000)
    return parser.parse_args(argv)


def _render_chunk(split: str, start: int, count: int) -> tuple[np.ndarray, list]:
    scenes = [render_scene(split, index) for index in range(start, start + count)]
    images = np.stack([scene.image for scene in scenes])
    notes = []
    for scene in scenes:
        rows, columns = np.nonzero(scene.labels < len(OBJECT_CLASSES))
        middle = [int(side.min() + side.max()) // 2 for side in (rows, columns)]
        notes.append([scene.caption, len(np.unique(scene.labels)) - 1, *middle])
    return images, notes


def render_pool(folder: Path, size: int, workers: int) -> tuple[np.ndarray, list]:
    """Render the scenes once into a file, which is memory-mapped from then on.

    Returns:
        Images uint8 (N, 64, 64, 3) and, for each, its caption, number of objects, and the row and
        column of the center of everything but background.
    """
    sources = (Path(module.__file__) for module in (renderer, shapes))
    key = hashlib.sha256(b''.join(path.read_bytes() for path in sources)).hexdigest()[:12]
    path = folder / f'langseg_clip_pool_{size}_{key}.npy'
    notes = path.with_suffix('.json')
    if not notes.exists():
        partial = path.with_name(f'{path.stem}.{os.getpid()}.npy')
        shape = (size, 64, 64, 3)
        images = np.lib.format.open_memmap(partial, 'w+', dtype=np.uint8, shape=shape)
        starts = range(0, size, CHUNK)
        counts = [min(CHUNK, size - start) for start in starts]
        bar, captions = ProgressBar(size), []
        with ProcessPoolExecutor(workers) as executor:
            chunks = executor.map(_render_chunk, ['clip'] * len(starts), starts, counts)
            for start, (chunk, lines) in zip(starts, chunks, strict=True):
                images[start : start + len(chunk)] = chunk
                captions += lines
                bar.update(len(chunk))
        print()
        images.flush()
        partial.replace(path)
        temporary = notes.with_name(f'{notes.name}.{os.getpid()}')
        temporary.write_text(json.dumps(captions))
        temporary.replace(notes)
    return np.load(path, mmap_mode='r'), json.loads(notes.read_text())


def close_up(images: np.ndarray, middles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop 40 x 40 pixels around the given points (N, 2), which saves computation."""
    corners = np.clip(middles - 20 + rng.integers(-4, 5, middles.shape), 0, 24)
    rows, columns = (corners[:, i, None] + np.arange(40) for i in (0, 1))
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None]]


def augment(images: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Flip, shift by up to 4 pixels, swap and invert colors; none changes a class."""
    flips = rng.random(len(images)) < 0.5
    images = np.where(flips[:, None, None, None], images[:, :, ::-1], images)
    if rng.random() < 0.5:
        images = 255 - images
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode='edge')
    top, left = rng.integers(0, 9, 2)
    height, width = images.shape[1:3]
    return normalize(padded[:, top : top + height, left : left + width, rng.permutation(3)])


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Build AdamW, without weight decay on vectors, embeddings and the scale."""
    plain = {'token_embedding.weight', 'positional_embedding', 'visual.positional_embedding'}
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        (free if parameter.ndim < 2 or name in plain else decayed).append(parameter)
    groups = [dict(params=decayed, weight_decay=0.05), dict(params=free, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98))


def train(
    training: CompactTraining | LockedTextTraining,
    pool: np.ndarray,
    notes: list,
    args: argparse.Namespace,
    report: callable,
) -> None:
    """Train a CLIP; the first part uses close-ups of scenes with one object only."""
    rng = np.random.default_rng(args.seed)
    model = training.model
    optimizer = make_optimizer(model, args.lr)
    single = np.flatnonzero(np.array([note[1] for note in notes]) == 1)
    everything, middles = np.arange(len(pool)), np.array([note[2:] for note in notes])
    order, bar, start = np.empty(0, int), ProgressBar(100), time.time()
    step, done, seen, next_report, paused, easy = 0, 0.0, 0, 0.1, 0.0, True
    while done < 1:
        if easy and done >= args.close_ups:
            easy, order = False, order[:0]
        if len(order) < args.batch_size:
            order = rng.permutation(single if easy else everything)
        batch, order = np.sort(order[: args.batch_size]), order[args.batch_size :]
        rate = min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done))
        for group in optimizer.param_groups:
            group['lr'] = args.lr * max(rate, 0.001)
        images = close_up(pool[batch], middles[batch], rng) if easy else pool[batch]
        loss = training.loss(augment(images, rng), batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.logit_scale.data.clamp_(0, np.log(100))
        step, seen = step + 1, seen + len(batch)
        elapsed = time.time() - start - paused
        done = step / args.steps if args.steps else elapsed / args.seconds
        if int(min(1, done) * 100) > bar.completed:
            bar.update(int(min(1, done) * 100) - bar.completed)
        if done >= next_report:
            pause = time.time()
            report(step=step, seconds=round(elapsed), images=seen, loss=round(loss.item(), 3))
            model.train()
            paused += time.time() - pause
            next_report += 0.1
    print()


def _settings(args: argparse.Namespace) -> dict:
    """Return the options that a training depends on."""
    unused = {'out', 'pool_dir', 'debug', 'tower' if args.teacher else 'distillation'}
    settings = {name: value for name, value in vars(args).items() if name not in unused}
    return settings | dict(teacher=args.teacher and args.teacher.name)


def main(argv: Sequence[str] | None = None) -> None:
    """Render, train, store, evaluate."""
    args = parse_args(argv)
    check_output_folder(str(args.out.parent), 'The folder of --out')
    check_outputs(args.out)
    if args.teacher is not None:
        read_teacher(args.teacher)  # errors come before the rendering
    torch.set_num_threads(args.threads)
    print(f'rendering {args.pool_size} scenes (kept in {args.pool_dir})')
    pool, notes = render_pool(args.pool_dir, args.pool_size, args.threads)
    captions = [note[0] for note in notes]
    if args.teacher is None:
        training = CompactTraining(args.tower, captions, args.seed)
    else:
        training = LockedTextTraining(args.teacher, pool, captions, args.seed, args.distillation)
    model = training.model
    others = load_scenes('train', 200)[0]
    tune = load_scenes('tune', 300)
    lines = [dict(_settings(args), words=training.num_words, torch=torch.__version__)]

    def report(**figures) -> None:
        words = training.words(TEMPLATES['single'])
        lines.append(dict(split='tune', **figures, **evaluate(model, words, *tune, others)))
        print(f'\n{lines[-1]}', flush=True)

    train(training, pool, notes, args, report)
    write_clip(args.out, training.finish())
    images, labels = load_scenes('test', args.test_scenes)
    for kind, templates in TEMPLATES.items():
        figures = evaluate(model, training.words(templates), images, labels, others)
        lines.append(dict(split='test', templates=kind, **figures))
        print(lines[-1])
    write_log(args.out, lines)


if __name__ == '__main__':
    run_command(main)
