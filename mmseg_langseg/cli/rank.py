"""The command ``langseg rank``."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    device_name,
    number_in,
)
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.apis.launch import check_checkpoint, load_config
from mmseg_langseg.apis.model_zoo import model_config, untrained_config
from mmseg_langseg.apis.rank_models import LoadModel, Rank, candidates, rank_models, unlike_best
from mmseg_langseg.apis.texts import parse_texts
from mmseg_langseg.fileio import LangSegWarning, check_new, write_whole_file
from mmseg_langseg.models.backbones import READOUTS
from mmseg_langseg.models.text_encoders.templates import TEMPLATE_SETS
from mmseg_langseg.verdict import UNINFORMED

from .photo_options import add_photo_options, find_photos

HELP = 'compare models and settings on your photos, without labels'
_FILE = 'rank.json'
_START = b'{\n "ranking":'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg rank``."""
    add_photo_options(parser)
    parser.add_argument(
        '--models',
        nargs='+',
        required=True,
        type=model_and_weights,
        metavar='MODEL[=CHECKPOINT]',
        help='short names (see "langseg models") or config files; without a checkpoint, the '
        'untrained model',
    )
    parser.add_argument(
        '--templates', nargs='+', default=[], choices=TEMPLATE_SETS, help='prompt templates'
    )
    parser.add_argument(
        '--readouts',
        nargs='+',
        default=[],
        choices=sorted(READOUTS.module_dict),
        help='how ViTs extract dense features; other towers have one way',
    )
    parser.add_argument(
        '--thresholds',
        nargs='+',
        default=[],
        type=number_in(0, 1),
        help='minimum probabilities of the best class, besides none',
    )
    parser.add_argument(
        '--judges',
        nargs='+',
        default=[],
        metavar='MODEL',
        help='models that judge, untrained (default: one of each image-text model among --models)',
    )
    parser.add_argument('--device', type=device_name, help='torch device (default: GPU, else CPU)')
    add_config_options(parser, 'model.test_cfg.mode=whole')
    add_trust_option(parser)


def model_and_weights(text: str) -> tuple[str, str | None]:
    """Argument type: a model, and the checkpoint after ``=``."""
    model, _, weights = text.partition('=')
    if not model or text.endswith('='):
        raise argparse.ArgumentTypeError(f'expected MODEL or MODEL=CHECKPOINT, got {text!r}')
    return model, weights or None


def run(args: argparse.Namespace) -> None:
    """Run ``langseg rank``."""
    vocabulary = parse_texts(args.texts)
    entries = candidates(args.models, args.templates, args.readouts, args.thresholds)
    for model, weights in args.models:
        if weights is not None:
            check_checkpoint(weights)
        load_config(model_config(model, weights), cfg_options=args.cfg_options)
    for judge in args.judges:
        load_config(untrained_config(judge), cfg_options=args.cfg_options)
    path = Path(args.out, _FILE)
    check_new(path, _START)
    photos = find_photos(args).photos()

    load = _loader(args)
    ranking = rank_models(entries, vocabulary, photos, load, args.judges, args.quiet)
    ranks = ranking.ranks
    masks = sum(len(photo.masks) for photo in photos)
    content = dict(
        ranking=[_record(rank) for rank in ranks],
        judges=ranking.judges,
        informed=ranking.informed,
        texts=[list(words) for words in vocabulary.rows],
        photos=len(photos),
        masks=masks,
    )
    write_whole_file(path, json.dumps(content, indent=1).encode())
    judges = '; '.join(ranking.judges)
    print(f'{len(photos)} photos with {masks} masks, judged by {judges}, without training')
    print(table(ranks))
    print('\n'.join(conclusions(ranks) if ranking.informed else [UNINFORMED]))


def _loader(args: argparse.Namespace) -> LoadModel:
    """Return a function that loads models and shows each warning once."""
    shown: set[str] = set()

    def load(model: str, weights: str | None, options: dict[str, Any]) -> LangSegInferencer:
        options = {**(args.cfg_options or {}), **options}
        config, trust = untrained_config(model), args.trust_checkpoint
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always', LangSegWarning)
            segment = LangSegInferencer(config, weights, args.device, options, trust)
        for text in dict.fromkeys(str(warning.message) for warning in caught):
            if text not in shown:
                warnings.warn(text, LangSegWarning, stacklevel=2)
        shown.update(str(warning.message) for warning in caught)
        return segment

    return load


def table(ranks: Sequence[Rank]) -> str:
    """Return the table of the candidates."""
    rows = [('candidate', 'estimated mIoU', 'difference', 'interval')]
    for rank in ranks:
        row = [rank.candidate.name, f'{rank.miou:.1f}', '', '']
        if rank.difference is not None:
            one = rank.difference
            gain, low, high = (f'{round(v, 1) + 0.0:+}' for v in (one.gain, one.low, one.high))
            row[2:] = gain, f'{low} to {high}'
        rows.append(tuple(row))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join('  '.join(map(str.ljust, row, widths)).rstrip() for row in rows)


def conclusions(ranks: Sequence[Rank]) -> list[str]:
    """Return what the table says, and what it cannot say."""
    best = max(ranks, key=lambda rank: rank.miou)
    others = [rank.candidate.name for rank in ranks if unlike_best(rank) == 'undecided']
    lines = [f'Highest estimate: {best.candidate.name}']
    if others:
        lines.append(f'These photos cannot tell it apart from: {"; ".join(others)}')
    judged = [rank.candidate.name for rank in ranks if rank.has_judge]
    if 0 < len(judged) < len(ranks):
        lines.append(
            f'Favored, as a judge has the same image-text model: {"; ".join(judged)}. Without '
            '--judges, all are judged alike.'
        )
    return lines


def _record(rank: Rank) -> dict[str, Any]:
    one = rank.difference
    candidate = rank.candidate
    return dict(
        name=candidate.name,
        model=candidate.model,
        weights=candidate.weights,
        templates=candidate.templates,
        readout=candidate.readout,
        threshold=candidate.threshold,
        estimated_miou=rank.miou,
        difference=None if one is None else [one.gain, one.low, one.high],
        against_best=unlike_best(rank),
        has_judge=rank.has_judge,
    )
