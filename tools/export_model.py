"""Export a model to ONNX or torch.export: ``python tools/export_model.py CONFIG [CHECKPOINT]``.

    python tools/export_model.py clip-vit-b16 --texts "cat; dog, puppy; grass" --out exported
    python tools/export_model.py clip-vit-b16 --texts "sofa; chair" --out other_words --texts-only

The files run without this package (docs/deployment.md).
"""

import argparse
from collections.abc import Sequence

from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    command_parser,
    positive_int,
    run_command,
)
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.apis.model_export import check_outputs, export_model, export_texts
from mmseg_langseg.apis.texts import parse_texts
from mmseg_langseg.deployment import FORMATS


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('config', help='short name (see "langseg models") or config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='none',
        help='weights; omitted or "none" exports the untrained model, i.e. zero-shot CLIP',
    )
    parser.add_argument(
        '--texts',
        help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a .json vocabulary; '
        "default: the config's",
    )
    parser.add_argument('--out', required=True, help='output folder')
    parser.add_argument('--format', choices=list(FORMATS), default='onnx', help='default: onnx')
    parser.add_argument(
        '--size',
        nargs=2,
        type=positive_int,
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the images; default: the input size of the config, or its sliding window',
    )
    parser.add_argument(
        '--texts-only',
        action='store_true',
        help='write the text embeddings of another vocabulary, for a model exported before',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')
    add_config_options(parser, 'model.clip.pretrained=ViT-B-16.pt')
    add_trust_option(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    # Wrong arguments fail before the model is loaded.
    if args.texts is not None:
        parse_texts(args.texts)
    check_outputs(args.out, None if args.texts_only else args.format, args.overwrite)
    weights = None if args.checkpoint == 'none' else args.checkpoint
    segment = LangSegInferencer(
        args.config, weights, 'cpu', args.cfg_options, args.trust_checkpoint
    )
    if args.texts_only:
        print(export_texts(segment, args.out, args.texts, args.overwrite))
        return
    exported = export_model(segment, args.out, args.texts, args.format, args.size, args.overwrite)
    for path in exported.files:
        print(f'{path}  {path.stat().st_size / 2**20:.1f} MiB')
    print(f'Largest difference from the logits of the model: {exported.difference:.1e}')


if __name__ == '__main__':
    run_command(main)
