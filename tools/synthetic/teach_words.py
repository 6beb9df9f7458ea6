"""Add synonyms and filler words to a bundled CLIP without changing its other weights.

Only the token embeddings of the new words are trained, with CLIP's contrastive loss, on captions of
the ``clip`` split that are reworded with them. Towers and known words are frozen.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mmseg_langseg.synthetic.tiny_resnet  # noqa: F401  (registers the trunk in timm)
from mmseg_langseg.apis.command_line import (
    command_parser,
    number_in,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.models.clip_files import read_clip_file
from mmseg_langseg.synthetic.renderer import OBJECT_CLASSES
from mmseg_langseg.synthetic.words import FILLERS, SYNONYMS, reword

import numpy as np
import open_clip
import torch
from clip_output import check_outputs, write_clip, write_log
from compact_training import CompactVocabulary
from evaluate_clip import average_precision, load_scenes, normalize
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from train_clip import render_pool

LONGEST = 40


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('clip', type=Path, help='compact CLIP file')
    parser.add_argument('out', type=Path, help='file to write, *.pth; must not exist')
    parser.add_argument('--seed', type=seed_int, default=0)
    parser.add_argument('--steps', type=positive_int, default=1500)
    parser.add_argument('--batch-size', type=positive_int, default=256)
    parser.add_argument('--lr', type=number_in(0, above=True), default=1e-2)
    parser.add_argument(
        '--pool-size', type=positive_int, default=12000, help='scenes of the clip split'
    )
    parser.add_argument('--pool-dir', type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument('--threads', type=positive_int, default=2)
    return parser.parse_args(argv)


def build(file: dict, vocabulary: CompactVocabulary) -> tuple[nn.Module, Tensor]:
    """Build the CLIP for a vocabulary; return it and which token rows are new, ``(n,)`` bool."""
    text_cfg = file['arch']['text_cfg'] | dict(
        vocab_size=len(vocabulary.ids), context_length=vocabulary.length
    )
    model = open_clip.CLIP(**(file['arch'] | dict(text_cfg=text_cfg))).eval().requires_grad_(False)
    weights = {name: value.float() for name, value in file['state_dict'].items()}
    weights['positional_embedding'] = weights['positional_embedding'][: vocabulary.length]
    known, rows = file['token_embedding']['ids'], file['token_embedding']['rows'].float()
    new = ~torch.isin(vocabulary.ids, known)
    table = rows.mean(0).repeat(len(vocabulary.ids), 1)
    where = {int(token): position for position, token in enumerate(known)}
    for position in (~new).nonzero()[:, 0].tolist():
        table[position] = rows[where[int(vocabulary.ids[position])]]
    model.load_state_dict(weights | {'token_embedding.weight': table})
    return model, new


def read_compact(path: Path) -> dict:
    """Return the content of a compact CLIP file."""
    file = read_clip_file(path)
    if file.token_embedding is None:
        raise ValueError(f'{str(path)!r} is not a compact CLIP file (train_clip.py).')
    return dict(arch=file.arch, state_dict=file.weights, token_embedding=file.token_embedding)


@torch.no_grad()
def encode_images(model: nn.Module, images: np.ndarray) -> Tensor:
    """Return unit image embeddings ``(N, D)``."""
    parts = (images[start : start + 250] for start in range(0, len(images), 250))
    return torch.cat([model.encode_image(normalize(part), normalize=True) for part in parts])


def train(model: nn.Module, new: Tensor, images: Tensor, captions: list, args, vocabulary) -> None:
    """Train the new token rows; the known ones get no gradient."""
    rng = np.random.default_rng(args.seed)
    table = model.token_embedding.weight.requires_grad_(True)
    table.register_hook(lambda grad: grad * new[:, None])
    optimizer = torch.optim.Adam([table], lr=args.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    bar = ProgressBar(args.steps)
    for _ in range(args.steps):
        batch = rng.integers(len(images), size=args.batch_size)
        texts = [reword(captions[index], rng) for index in batch]
        tokens = vocabulary(texts)
        text = model.encode_text(tokens, normalize=True)
        logits = model.logit_scale.exp() * images[batch] @ text.T
        target = torch.arange(len(batch))
        loss = nn.functional.cross_entropy(logits, target)
        loss = (loss + nn.functional.cross_entropy(logits.T, target)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.update()
    table.requires_grad_(False)
    print(f'\nloss {loss.item():.3f}')


@torch.no_grad()
def synonym_map(model: nn.Module, vocabulary: CompactVocabulary) -> float:
    """Return the mAP of objects on `tune`, each embedded as the mean of its synonyms."""
    images, labels = load_scenes('tune', 300)
    rows = []
    for name in OBJECT_CLASSES:
        texts = [f'A photo of a {word} in the scene' for word in SYNONYMS[name]]
        rows.append(model.encode_text(vocabulary(texts), normalize=True).mean(0))
    words = nn.functional.normalize(torch.stack(rows), dim=-1)
    scores = (model.logit_scale.exp() * encode_images(model, images) @ words.T).softmax(1).numpy()
    labels = np.asarray(labels)
    truth = np.stack([(labels == k).any((1, 2)) for k in range(len(words))], axis=1)
    pairs = zip(scores.T, truth.T, strict=True)
    return 100 * float(np.mean([average_precision(score, true) for score, true in pairs]))


def main(argv: Sequence[str] | None = None) -> None:
    """Render, train, store."""
    args = parse_args(argv)
    check_output_folder(str(args.out.parent), 'The folder of the output')
    check_outputs(args.out)
    torch.set_num_threads(args.threads)
    file = read_compact(args.clip)
    pool, notes = render_pool(args.pool_dir, args.pool_size, args.threads)
    captions = [note[0] for note in notes]
    new_words = [word for words in SYNONYMS.values() for word in words] + list(FILLERS)
    # Longer than any caption can become, so that none is truncated.
    vocabulary = CompactVocabulary(captions + [' '.join([word] * LONGEST) for word in new_words])
    model, new = build(file, vocabulary)
    if not new.any():
        raise SystemExit(f'{args.clip} knows all {len(new_words)} words: nothing to teach.')
    before = synonym_map(model, vocabulary)
    train(model, new, encode_images(model, pool), captions, args, vocabulary)
    figures = dict(
        split='tune',
        new_words=int(new.sum()),
        image_map_by_synonyms=round(synonym_map(model, vocabulary), 2),
        image_map_by_synonyms_before=round(before, 2),
    )
    entry = file['token_embedding']
    entry['ids'] = torch.cat([entry['ids'], vocabulary.ids[new]])
    entry['rows'] = torch.cat([entry['rows'], model.token_embedding.weight.detach()[new].half()])
    settings = {k: v for k, v in vars(args).items() if k not in ('clip', 'out', 'pool_dir')}
    line = dict(taught=settings, **figures)
    print(line)
    earlier = args.clip.with_suffix('.log.jsonl')
    lines = earlier.read_text(encoding='utf-8').splitlines() if earlier.is_file() else []
    write_clip(args.out, file)
    write_log(args.out, [*map(json.loads, lines), line])


if __name__ == '__main__':
    run_command(main)
