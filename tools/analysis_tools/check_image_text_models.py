"""Check the dense features and text of open_clip's models with random weights, and list them.

Each model is built in turn. The dense features must be what the model's own pooling gives for one
token alone, and the text embeddings those of its ``encode_text``; an error above 1e-4 of the
largest value fails. Finished models are kept in OUT/models.jsonl: a run that is stopped goes on.
Text towers of Hugging Face need the package transformers, but no download.
"""

import argparse
import contextlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.models.backbones import CLIPResNet, CLIPTimmTower, CLIPTower, tower_class
from mmseg_langseg.models.backbones.readouts import build_readout
from mmseg_langseg.models.clip_arch import arch_config, library
from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.clip_preprocessing import clip_preprocessing
from mmseg_langseg.models.text_encoders.text_tower import encode_ids, output_width

import open_clip
import timm
import torch
from open_clip import hf_configs, hf_model
from open_clip.pretrained import list_pretrained_tags_by_model
from torch import Tensor, nn

LIMIT = 1e-4
CUT_DEPTH = 4
CUT_TEXT_DEPTH = 2
MAX_TOKENS = 16

# Published sizes of the text towers of Hugging Face that open_clip names. Their decoders, which
# open_clip leaves out, have one block here.
_ROBERTA = dict(max_position_embeddings=514, type_vocab_size=1)
_XLM = dict(model_type='xlm-roberta', vocab_size=250002, **_ROBERTA)
_LARGE = dict(
    hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)
_MT5 = dict(model_type='mt5', vocab_size=250112, num_decoder_layers=1)
_NLLB = dict(model_type='m2m_100', vocab_size=256206, d_model=1024, decoder_layers=1)
TEXT_TOWERS = {
    'roberta-base': dict(model_type='roberta', vocab_size=50265, **_ROBERTA),
    'xlm-roberta-base': _XLM,
    'xlm-roberta-large': dict(_XLM, **_LARGE),
    'google/mt5-base': dict(_MT5, d_model=768, d_ff=2048, num_layers=12, num_heads=12),
    'google/mt5-xl': dict(_MT5, d_model=2048, d_ff=5120, num_layers=24, num_heads=32),
    'facebook/nllb-200-distilled-600M': dict(_NLLB, encoder_layers=12, encoder_ffn_dim=4096),
    'facebook/nllb-200-distilled-1.3B': dict(_NLLB, encoder_layers=24, encoder_ffn_dim=8192),
}


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--models', nargs='+', help='names of open_clip; default: all')
    parser.add_argument('--out', required=True, help='folder of models.jsonl and models.md')
    parser.add_argument(
        '--max-parameters',
        type=float,
        default=700,
        help='in millions; of larger models, only the first blocks are built (default: 700)',
    )
    return parser.parse_args(argv)


def check_model(name: str, max_parameters: float) -> dict:
    """Return the row of a model: what it is, and whether it works or why not."""
    with known_text_towers():
        row = describe(name)
        return check_parts(row, max_parameters)


def check_parts(row: dict, max_parameters: float) -> dict:
    """Build the model of a row, and add whether it works or why not."""
    name = row['name']
    try:
        config = arch_config(name)
        tower_type = tower_class(name)
        row['tower'] = tower_type.__name__
        row['cut'] = row.get('parameters_m', 0) > max_parameters
        with cut_depth(config) if row['cut'] else contextlib.nullcontext():
            tower = tower_type(config).eval()
            model = load_clip(config)
        model.visual = None
        row['embed_dim'] = tower.embed_dim
        if tower.embed_dim != output_width(model.text):
            raise ValueError(f'image and text have widths {tower.embed_dim} and others')
        row['image_error'] = image_error(tower)
        row['text_error'] = text_error(model)
        row['works'] = max(row['image_error'], row['text_error']) < LIMIT
        row['reason'] = '' if row['works'] else 'the check failed'
    except (ValueError, RuntimeError) as error:
        row.update(works=False, reason=str(error).splitlines()[0])
    return row


def describe(name: str) -> dict:
    """Return what is known about a model without its weights."""
    config = arch_config(name)
    vision, text = config['vision_cfg'], config['text_cfg']
    preprocessing = clip_preprocessing(name)
    tags = {*list_pretrained_tags_by_model(name)}
    row = dict(
        name=name,
        tags=len(tags),
        image=vision.get('timm_model_name') or 'open_clip',
        text=text.get('hf_model_name') or ('causal' if is_causal(text) else 'bidirectional'),
        tokenizer=text.get('hf_tokenizer_name') or 'CLIP',
        image_size=vision.get('image_size', 224),
        mean=[round(value / 255, 3) for value in preprocessing.mean],
        resize=f'{preprocessing.resize_mode}, {preprocessing.interpolation}',
    )
    with torch.device('meta'), contextlib.suppress(OSError, RuntimeError, ImportError):
        model = open_clip.CustomTextCLIP(**config)
        row['parameters_m'] = round(sum(p.numel() for p in model.parameters()) / 1e6, 1)
    return row


def is_causal(text: dict) -> bool:
    return not text.get('no_causal_mask', False)


def known_text_towers(layers: int | None = None) -> contextlib.AbstractContextManager:
    """Build text towers of Hugging Face without their config.json, ``layers`` deep if given."""
    if hf_model.transformers is None:
        return contextlib.nullcontext()

    def from_sizes(name: str) -> hf_model.PretrainedConfig:
        sizes = TEXT_TOWERS[name]
        if layers is not None:
            depth = hf_configs.arch_dict[sizes['model_type']]['config_names']['layers']
            sizes = {**sizes, depth: layers}
        return hf_model.AutoConfig.for_model(**sizes)

    return mock.patch.object(hf_model.AutoConfig, 'from_pretrained', from_sizes)


@contextlib.contextmanager
def cut_depth(config: dict) -> Iterator[None]:
    """Build only the first blocks of a large model."""
    config['text_cfg'] = {**config['text_cfg'], 'layers': CUT_TEXT_DEPTH}
    with known_text_towers(CUT_TEXT_DEPTH), _cut_image_tower(config):
        yield


@contextlib.contextmanager
def _cut_image_tower(config: dict) -> Iterator[None]:
    vision = config['vision_cfg']
    if 'timm_model_name' not in vision:
        if not isinstance(vision.get('layers'), list):
            config['vision_cfg'] = {**vision, 'layers': CUT_DEPTH}
        yield
        return
    short = partial(timm.create_model, depth=CUT_DEPTH)
    is_vit = tower_class(config) is not CLIPTimmTower
    with mock.patch('timm.create_model', short) if is_vit else contextlib.nullcontext():
        yield


@torch.no_grad()
def image_error(tower: CLIPTower) -> float:
    """Return the largest difference from the model's pooling of one token, relative."""
    if isinstance(tower, CLIPTimmTower):
        return _map_error(tower)
    if isinstance(tower, CLIPResNet):
        return _attention_pool_error(tower)
    return _token_error(tower)


def _map_error(tower: CLIPTimmTower) -> float:
    images = torch.randn(1, 3, 128, 64)
    maps, features = tower.visual.trunk.forward_features(images), tower(images)[0]
    rows = [
        tower.visual.head(tower.visual.trunk.forward_head(maps[:, :, y : y + 1, x : x + 1]))
        for y in range(maps.shape[2])
        for x in range(maps.shape[3])
    ]
    return _relative(features.flatten(2)[0].T, torch.cat(rows))


def _attention_pool_error(tower: CLIPResNet) -> float:
    pool, read = tower.visual.attnpool, []
    hook = pool.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    images = torch.randn(1, 3, tower.visual.image_size, tower.visual.image_size)
    tower.visual(images)
    hook.remove()
    features = tower(images)[0].flatten(2)[0].T
    # A map of one pixel without positions: the mean token is that pixel.
    pool.positional_embedding = nn.Parameter(torch.zeros(2, read[0].shape[1]))
    pixels = read[0].flatten(2)[0].T[:, :, None, None]
    return _relative(features, pool(pixels))


def _token_error(tower: CLIPTower) -> float:
    """Hand tokens of the last block, each repeated as a sequence, to the model's own pooling."""
    visual, read = tower.visual, []
    tower.readout = build_readout('tokens')

    def alone(module: nn.Module, inputs: tuple, tokens: Tensor) -> Tensor:
        read.append(tokens)
        prefix = 1 if trunk is None else trunk.num_prefix_tokens
        tokens = tokens[0, prefix : prefix + MAX_TOKENS, None]
        return tokens.expand(-1, prefix + 1, -1)

    trunk = getattr(visual, 'trunk', None)
    if trunk is None:
        sides = visual.image_size
    else:
        sides = [2 * side for side in trunk.patch_embed.feat_ratio(as_scalar=False)]
    images = torch.randn(1, 3, *sides)
    features = tower(images)[0].flatten(2)[0].T[:MAX_TOKENS]
    last = visual.transformer if trunk is None else trunk.norm
    hook = last.register_forward_hook(alone)
    expected = visual(images)
    hook.remove()
    return _relative(features, expected[0] if isinstance(expected, tuple) else expected)


def text_error(model: open_clip.CustomTextCLIP) -> float:
    """Return the largest difference from ``encode_text`` in the full context, relative."""
    text = model.text
    length, padding = getattr(text, 'context_length', 77), 0
    if isinstance(text, hf_model.HFTextEncoder):
        length, padding = 77, text.config.pad_token_id  # as open_clip's tokenizer
    ids = torch.full((3, length), padding)
    for row, count in enumerate((3, 8, min(13, length))):
        ids[row, :count] = torch.randint(3, text.vocab_size - 1, (count,))
        ids[row, count - 1] = _end_of(text)
    with torch.no_grad():
        expected = model.encode_text(ids)
        expected = expected[0] if isinstance(expected, tuple) else expected
        return _relative(encode_ids(text, ids), expected)


def _end_of(text: nn.Module) -> int:
    is_eos = getattr(text, 'pool_type', 'argmax') == 'eos'
    return text.eos_id if is_eos else text.vocab_size - 1


def _relative(got: Tensor, expected: Tensor) -> float:
    return float((got - expected).abs().max() / expected.abs().max())


def table(rows: list[dict]) -> str:
    """Return a Markdown table of the models."""
    head = (
        '| model | tags | image tower | text tower, tokenizer | embed width | parameters, M | '
        'image size | mean | resize | works |'
    )
    lines = [head, '|---|---|---|---|---|---|---|---|---|---|']
    for row in rows:
        works = 'yes' if row['works'] else f'no: {row["reason"]}'
        works += f' (first {CUT_DEPTH} blocks)' if row['works'] and row.get('cut') else ''
        image = f'{row["image"]} ({row["tower"]})' if 'tower' in row else row['image']
        cells = [
            row['name'],
            row['tags'],
            image,
            f'{row["text"]}, {row["tokenizer"]}',
            row.get('embed_dim', ''),
            row.get('parameters_m', ''),
            row['image_size'],
            ', '.join(map(str, row['mean'])),
            row['resize'],
            works,
        ]
        lines.append(f'| {" | ".join(str(cell) for cell in cells)} |')
    return '\n'.join(lines)


def main(argv=None) -> None:
    args = parse_args(argv)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / 'models.jsonl'
    rows = {}
    if file.is_file():
        rows = {row['name']: row for row in map(json.loads, file.read_text().splitlines())}
    names = args.models or open_clip.list_models()
    for name in names:
        if name not in rows:
            torch.manual_seed(0)
            rows[name] = check_model(name, args.max_parameters)
            lines = ''.join(f'{json.dumps(row)}\n' for row in rows.values())
            write_whole_file(file, lines.encode())
            print(name, 'works' if rows[name]['works'] else rows[name]['reason'], flush=True)
    chosen = [rows[name] for name in names]
    write_whole_file(out / 'models.md', f'{table(chosen)}\n'.encode())
    works = sum(row['works'] for row in chosen)
    print(f'{works} of {len(chosen)} models work ({library()}, timm {timm.__version__}).')


if __name__ == '__main__':
    run_command(main)
