"""Documented values of the configs of CLIP-S⁴ and MaskCLIP."""

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmseg.registry import MODELS, TRANSFORMS
from torch import nn

from mmseg_langseg.models.text_encoders import Vocabulary
from tests.configs import BENCHMARKS, ROOT, load, tiny_model
from tests.tiny import VIT


def words(name):
    """Return the known class names of a benchmark and its test vocabulary."""
    cfg = load(f'clips4/r50_{name}.py')
    known = cfg.model.decode_head.known
    test_words = cfg.model.decode_head.get('vocabulary') or 'ade150.json'
    names = Vocabulary.parse(test_words).names
    assert len(known) + len(cfg.test_evaluator.unknown) == len(names) == BENCHMARKS[name]
    assert set(known) < set(names)
    return list(known), test_words


@pytest.mark.parametrize('name', BENCHMARKS)
def test_training_reads_the_known_names_and_the_test_all(name):
    known, all_words = words(name)
    for method in ('clips4/r50_{}', 'maskclip/plus_r50_{}', 'maskclip/plus_r50_{}_known-only'):
        cfg = load(f'{method.format(name)}.py')
        head = cfg.model.decode_head
        given = head.known if 'clips4' in method else head.names
        assert given == (known if '_known-only' in method or 'clips4' in method else all_words)
        # ADE20K is tested with its own class names.
        assert head.get('vocabulary', 'ade150.json') == all_words
        assert cfg.test_evaluator.type == 'KnownUnknownIoUMetric'
        assert not set(given) & set(cfg.test_evaluator.unknown)


def test_maskclip_plus_and_clips4_differ_in_what_they_learn_alone():
    ours, theirs = (load(f'{name}_voc.py').model for name in ('clips4/r50', 'maskclip/plus_r50'))
    for part in ('backbone', 'neck', 'teacher', 'clip', 'data_preprocessor'):
        assert ours[part] == theirs[part], part
    assert ours.decode_head.templates == theirs.decode_head.templates == 'maskclip'
    assert ours.decode_head.loss_semantic.scale == theirs.decode_head.scale


@pytest.mark.parametrize(
    'name, iterations',
    [('voc', 20000), ('context', 20000), ('cocostuff', 40000), ('ade', 80000)],
)
def test_schedule_of_clips4(name, iterations):
    cfg = load(f'clips4/r50_{name}.py')
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    views = steps['AugmentedViews']
    assert (8 * cfg.train_dataloader.batch_size, views.num_views) == (8, 2)
    assert views.transforms[0].crop_size == (448, 448)
    assert cfg.model.data_preprocessor.teacher_size == (512, 512)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == iterations

    model = MODELS.build(tiny_model(cfg))
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    for part, lr in (('neck', 5e-2), ('backbone', 5e-3)):
        assert {rates[id(p)] for p in model.get_submodule(part).parameters()} == {lr}
    small = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=5e-3)
    schedulers = [PARAM_SCHEDULERS.build(dict(s, optimizer=small)) for s in cfg.param_scheduler]
    for step in range(1000):
        expected = (1 - max(step - 200, 0) / (iterations - 200)) ** 0.9
        expected *= min(0.01 + 0.99 * step / 199, 1)
        assert small.param_groups[0]['lr'] == pytest.approx(5e-3 * expected, rel=1e-3), step
        small.step()
        for scheduler in schedulers:
            scheduler.step()


@pytest.mark.parametrize(
    'name, size',
    [('voc', (512, 683)), ('context', (390, 520)), ('cocostuff', (512, 683)), ('ade', (512, 683))],
)
def test_test_sizes_of_maskclip(name, size):
    benchmark = f'{name.replace("cocostuff", "coco_stuff")}_known_unknown'
    for cfg in (load('maskclip/vit-b16.py', benchmark), load(f'clips4/r50_{name}.py')):
        assert cfg.test_dataloader.batch_size == 1
        resize = TRANSFORMS.build(cfg.test_dataloader.dataset.pipeline[1])
        image = torch.zeros(375, 500, 3, dtype=torch.uint8).numpy()
        assert resize(dict(img=image))['img'].shape[:2] == size
        assert cfg.tta_pipeline[1].transforms[0][0] == cfg.test_dataloader.dataset.pipeline[1]


def test_one_option_line_turns_maskclips_refinements_on():
    cfg = load('maskclip/vit-b16.py')
    head = MODELS.build(tiny_model(cfg)).decode_head
    assert head.key_smoothing is None and head.prompt_denoising is None
    options = {'key_smoothing': 1.0, 'prompt_denoising': 0.5}
    cfg.merge_from_dict({f'model.decode_head.{key}': value for key, value in options.items()})
    model = MODELS.build(tiny_model(cfg)).eval()
    with torch.no_grad():
        assert model.encode_decode(torch.randn(1, 3, 32, 48), [{}]).shape == (1, 20, 4, 6)


def test_precomputed_features_replace_the_teacher():
    text = (ROOT / 'clips4' / 'README.md').read_text(encoding='utf-8')
    (snippet,) = re.findall(r'```python\n(.*?)```', text, re.S)
    snippet = snippet.replace('./r50_voc.py', str(ROOT / 'clips4' / 'r50_voc.py'))
    cfg = Config.fromstring(snippet, '.py')
    assert MODELS.build(tiny_model(cfg, VIT)).teacher is None
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert steps == [
        'LoadCLIPFeatures', 'LoadUnlabeledImage', 'LoadRegionMap', 'AugmentedViews', 'PackViews',
    ]  # fmt: skip
    assert cfg.train_dataloader.dataset.data_prefix.feature_path == 'features'
