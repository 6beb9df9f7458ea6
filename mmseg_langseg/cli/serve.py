"""The command ``langseg serve``."""

from __future__ import annotations

import argparse
import os
from functools import partial
from importlib.util import find_spec

from mmseg_langseg.apis.command_line import integer_in
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.apis.launch import check_checkpoint, load_config
from mmseg_langseg.apis.model_zoo import MODELS, model_config
from mmseg_langseg.web.listen import listen
from mmseg_langseg.web.server import serve

from .model_options import add_model_options, load_inferencer

HELP = 'segment photos on a page in the browser'
_LAST_PORT = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg serve``."""
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at (default: 127.0.0.1, this machine only); there is no password',
    )
    parser.add_argument(
        '--port',
        type=integer_in(0, _LAST_PORT),
        default=7860,
        help='port (default: 7860); 0: any free one',
    )
    add_model_options(parser, 'embedded')


def run(args: argparse.Namespace) -> None:
    """Run ``langseg serve``."""
    if find_spec('gradio') is None:
        raise ImportError('serve needs gradio: pip install "mmseg_langseg[web]"')
    # Models are loaded when they are first used, but wrong options are reported at once.
    if args.weights is not None:
        check_checkpoint(args.weights)
    load_config(model_config(args.model, args.weights), cfg_options=args.cfg_options)
    listener = listen(args.host, args.port)
    loaders = {
        name: partial(LangSegInferencer, name, device=args.device)
        for name, model in MODELS.items()
        if not model.is_trained
    }
    loaders[args.model] = partial(load_inferencer, args)
    descriptions = {name: _description(name, args) for name in loaders}
    serve(loaders, descriptions, args.model, listener)


def _description(name: str, args: argparse.Namespace) -> str:
    """Return what the page says about a model."""
    model = MODELS.get(name)
    text = model.description if model else 'your config'
    if name == args.model and args.weights is not None:
        return f'{text}, with {os.path.basename(args.weights)}'
    return text
