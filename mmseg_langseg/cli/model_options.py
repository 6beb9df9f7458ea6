"""Options of the commands that load a model."""

from __future__ import annotations

import argparse

from mmseg_langseg.apis.command_line import add_config_options, add_trust_option, device_name
from mmseg_langseg.apis.inferencer import LangSegInferencer


def add_model_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--model`` and the options that belong to it.

    Args:
        parser: Parser of the command.
        default: Short name of the default model.
    """
    parser.add_argument(
        '--model',
        default=default,
        help=f'short name (see "langseg models") or config file (default: {default})',
    )
    parser.add_argument('--weights', help='checkpoint; default: the untrained model')
    parser.add_argument('--device', type=device_name, help='torch device (default: GPU, else CPU)')
    add_config_options(parser, 'model.clip.pretrained=ViT-B-16.pt')
    add_trust_option(parser)


def load_inferencer(args: argparse.Namespace) -> LangSegInferencer:
    """Return the inferencer that the options name."""
    return LangSegInferencer(
        args.model, args.weights, args.device, args.cfg_options, args.trust_checkpoint
    )
