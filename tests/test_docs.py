"""Options in the docs: command lines build a model, listed design choices are the defaults."""

import argparse
import ast
import copy
import inspect
import re
import shlex
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

from mmseg_langseg.apis.config_options import ConfigOptions
from mmseg_langseg.models.backbones import READOUTS
from mmseg_langseg.models.clusterers import ArgmaxClusterer
from mmseg_langseg.models.text_encoders import FixedNames, FreeCentroids
from tests.configs import tiny_model
from tests.tiny import training_batch

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'ablations.md'
CHOICES = ROOT / 'docs' / 'clips4_choices.md'
CONFIGS = [f'configs/pixelclip/{name}.py' for name in ('vit-b16_coco', 'convnext-b_sa1b')]


def option_lines():
    """Return the option lines of the page's fenced blocks, without comments."""
    blocks = re.findall(r'^```bash\n(.*?)^```', PAGE.read_text(encoding='utf-8'), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines() if line]
    return [line for line in lines if not line.startswith('#')]


def parse(line):
    """Return the configs that a line applies to, and its options as parsed by the tools."""
    parser = argparse.ArgumentParser()
    parser.add_argument('config', nargs='?')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, required=True)
    args = parser.parse_args(shlex.split(line))
    return ([args.config] if args.config else CONFIGS), args.cfg_options


def merged(config, options):
    cfg = Config.fromfile(ROOT / config)
    cfg.merge_from_dict(copy.deepcopy(options))
    return cfg


def build(line):
    configs, options = parse(line)
    cfg = merged(configs[0], options)
    return cfg, MODELS.build(tiny_model(cfg))


def line_with(*words):
    found = [line for line in option_lines() if all(word in line for word in words)]
    assert len(found) == 1, (words, found)
    return found[0]


def has_key(cfg, dotted):
    for part in dotted.split('.'):
        if isinstance(cfg, list):
            cfg = cfg[int(part)]
        elif part in cfg:
            cfg = cfg[part]
        else:
            return False
    return True


def test_the_page_has_its_lines():
    assert len(option_lines()) == len(set(option_lines())) >= 25


@pytest.mark.parametrize('line', option_lines())
def test_line_changes_its_config_and_the_model_builds(line):
    configs, options = parse(line)
    changed = []
    for config in configs:
        base, cfg = Config.fromfile(ROOT / config), merged(config, options)
        changed.append(cfg.to_dict() != base.to_dict())
        for key in options:
            # Unknown arguments of the model and transforms fail when these are built below.
            built = key.startswith('model.') or '.pipeline.' in key
            assert built or '_delete_' in key or has_key(base, key), key
        assert cfg.train_dataloader.dataset.type in DATASETS
        for step in cfg.train_dataloader.dataset.pipeline:
            TRANSFORMS.build(step)
    assert any(changed)
    cfg, model = build(line)
    build_optim_wrapper(model, cfg.optim_wrapper)


def test_clustering_lines_do_what_they_say():
    _, model = build(line_with('prompts=None'))
    assert model.decode_head.prompts is None and model.decode_head.clusterer is None
    _, model = build(line_with('FreeCentroids'))
    assert isinstance(model.decode_head.prompts, FreeCentroids)
    assert model.decode_head.prompts.num_clusters == 64
    _, model = build(line_with('FixedNames'))
    assert isinstance(model.decode_head.prompts, FixedNames)
    assert isinstance(model.decode_head.clusterer, ArgmaxClusterer)
    assert model.decode_head.clusterer.num_clusters == 171
    _, model = build(line_with('prompts.templates=', ' model.decode_head.templates='))
    assert len(model.decode_head.prompts.templates) == 8
    assert model.decode_head.templates == 'single'


def test_teacher_lines_do_what_they_say():
    assert build(line_with('momentum=None'))[1].teacher is None
    assert build(line_with('momentum=0.9999'))[1].teacher.momentum == 0.9999


def test_data_lines_do_what_they_say():
    cfg, _ = build(line_with('mask_size'))
    pack = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[-1])
    assert type(pack).__name__ == 'PackMaskInputs' and pack.mask_size == (80, 80)
    cfg, _ = build(line_with('erase_cutout'))
    assert TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[-1]).erase_cutout is False
    cfg, model = build(line_with('DINOMaskGenerator'))
    assert model.mask_generator.num_clusters == 16
    assert model.data_preprocessor.dino_size == (640, 640)
    assert cfg.train_dataloader.dataset.data_prefix.to_dict() == dict(img_path='images')


def test_optimizer_lines_do_what_they_say():
    cfg, model = build(line_with('prompts.lr_mult=0.1'))
    tokens = model.decode_head.prompts.tokens
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    (group,) = [group for group in groups if group['params'][0] is tokens]
    assert group['lr'] == pytest.approx(2e-5)
    assert build(line_with('clip_grad'))[0].optim_wrapper.clip_grad is None


def test_without_class_prompts_they_stay_what_they_are_at_the_start():
    cfg = merged(CONFIGS[0], parse(line_with('prompts.lr_mult=0.0'))[1])
    config = tiny_model(cfg)
    config.data_preprocessor.input_size = (32, 32)
    config.decode_head.update(decoder_channels=(8, 4))
    config.decode_head.prompts.num_clusters = 4
    model = MODELS.build(config)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.train().train_step(training_batch(), wrapper)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed and not any('prompts' in name for name in changed)


def test_tower_lines_do_what_they_say():
    readout = build(line_with('readout'))[1].backbone.readout
    assert type(readout) is READOUTS.get('value')
    _, model = build(line_with('trainable=none'))
    assert not any(p.requires_grad for p in model.backbone.parameters())
    _, model = build(line_with('trainable=all'))
    assert all(p.requires_grad for p in model.backbone.parameters())


def choices():
    """Return the rows of the design choice tables: what, default, tags, key."""
    lines = CHOICES.read_text(encoding='utf-8').splitlines()
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if line[:1] == '|']
    return [row for row in rows if len(row) == 4 and row[0] != 'choice' and set(row[0]) != {'-'}]


def keys_of_choices():
    return [row[3].strip('`') for row in choices() if row[3] != '–']


def value_of(cfg, key):
    """Return the value in the config, or the default of the class that the key belongs to."""
    *path, last = key.split('.')
    for part in path:
        cfg = cfg[int(part)] if isinstance(cfg, list) else cfg[part]
    if last in cfg:
        return cfg[last]
    registries = (MODELS, DATASETS, TRANSFORMS, HOOKS, METRICS)
    kind = next(found for registry in registries if (found := registry.get(cfg.type)))
    for base in kind.__mro__:
        parameters = inspect.signature(base).parameters
        if last in parameters:
            return parameters[last].default
    raise KeyError(key)


def test_choices_have_tags_and_keys_are_named_once():
    assert len(choices()) >= 90 and len(set(keys_of_choices())) == len(keys_of_choices()) >= 60
    for what, _, tags, _ in choices():
        assert re.fullmatch(r'\[(C|C1|L|P|R)\]( \[(L|R)\])?', tags), what


def test_choices_have_the_keys_and_defaults_of_the_config():
    cfg = Config.fromfile(ROOT / 'configs' / 'clips4' / 'r50_voc.py')
    for what, default, _, key in choices():
        if key == '–':
            continue
        value = value_of(cfg, key.strip('`'))
        literal = re.match('`(.*?)`', default)
        if literal is None:
            assert key in ('`model.decode_head.known`', '`model.decode_head.vocabulary`',
                           '`test_evaluator.unknown`'), what  # fmt: skip
            continue
        expected = ast.literal_eval(literal[1])
        value = tuple(value) if isinstance(expected, tuple) else value
        assert value == expected, f'{what}: the page says {expected}, the config has {value}'


@pytest.mark.parametrize(
    'registry, name, plumbing',
    [
        (MODELS, 'CLIPS4Head', {'loss_contrast', 'loss_embedding', 'loss_semantic', 'clusterer'}),
        (MODELS, 'PixelSegmentContrastLoss', set()),
        (MODELS, 'EmbeddingConsistencyLoss', set()),
        (MODELS, 'SemanticConsistencyLoss', set()),
        (MODELS, 'UnknownPrototypes', {'embed_dim'}),
        (TRANSFORMS, 'RandomView', set()),
        (TRANSFORMS, 'LoadRegionMap', {'backend_args'}),
        (TRANSFORMS, 'AugmentedViews', {'transforms'}),
    ],
)
def test_no_choice_is_missing(registry, name, plumbing):
    named = {key.rpartition('.')[2] for key in keys_of_choices()}
    arguments = set(inspect.signature(registry.get(name)).parameters) - {'kwargs', 'loss_name'}
    assert not arguments - plumbing - named
