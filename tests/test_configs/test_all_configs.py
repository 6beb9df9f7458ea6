"""Every config loads, is complete, and builds a tiny model without a download."""

import copy

import numpy as np
import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmseg.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmseg.structures import SegDataSample

from mmseg_langseg.masks.formats import encode_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.configs import BENCHMARKS, CONFIGS, ROOT, load, tiny_model
from tests.tiny import training_batch, view_batch


def test_there_are_configs():
    names = {'vit-b16_coco', 'vit-b16_coco-dino', 'vit-b16_sa1b', 'vit-b16_sa1b-dino'}
    names |= {'convnext-b_sa1b', 'convnext-b_coco', 'convnext-l_sa1b', 'resnet_synthetic'}
    assert {f'pixelclip/{name}.py' for name in names} <= set(CONFIGS)
    for name in BENCHMARKS:
        kinds = ('plus_r50_{}', 'plus_r50_{}_known-only')
        assert {f'maskclip/{kind.format(name)}.py' for kind in kinds} <= set(CONFIGS)
        assert f'clips4/r50_{name}.py' in CONFIGS


@pytest.mark.parametrize('name', CONFIGS)
def test_config_is_short_complete_and_builds(name):
    assert len((ROOT / name).read_text(encoding='utf-8').splitlines()) <= 60
    cfg = load(name)
    assert cfg.custom_imports.imports == ['mmseg_langseg'] and cfg.default_scope == 'mmseg'

    tiny = tiny_model(cfg)
    if 'num_clusters' in (tiny.decode_head.get('prompts') or {}):
        tiny.decode_head.prompts.num_clusters = 4  # for the time of an iteration
    model = MODELS.build(tiny)
    assert type(model).__name__ == cfg.model.type
    if cfg.get('train_dataloader') is None:
        check_prediction(model)
    else:
        check_iteration(model, check_training(cfg, model))
    assert all(hook.type in HOOKS for hook in cfg.custom_hooks)
    test = cfg.test_dataloader
    # Your own photos have no labels: no test, but the inferencer reads the pipeline.
    for step in cfg.test_pipeline if test is None else test.dataset.pipeline:
        TRANSFORMS.build(step)
    if test is None:
        assert name.endswith('_photos.py') and cfg.val_cfg is cfg.test_cfg is None
    else:
        metrics = cfg.test_evaluator
        metrics = metrics if isinstance(metrics, list) else [metrics]
        assert test.dataset.type in DATASETS and all(one.type in METRICS for one in metrics)


def check_training(cfg, model):
    """Check the parts of a training, and return its optimizer."""
    dataset = cfg.train_dataloader.dataset
    assert dataset.type in DATASETS
    steps = [TRANSFORMS.build(step) for step in dataset.pipeline]
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert 'MaskClusteringHook' in hooks or cfg.model.type == 'MaskCLIPPlus'
    wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    optimized = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert {id(p) for p in model.parameters() if p.requires_grad} <= optimized
    if cfg.model.type == 'PixelCLIP':
        assert (model.teacher is None) == (cfg.model.momentum is None)
        # Images without masks on disk need a generator, and vice versa.
        if dataset.get('data_prefix') is not None:
            assert ('mask_path' in dataset.data_prefix) == (model.mask_generator is None)
        return wrapper
    teacher = list(model.teacher.tower.parameters())
    assert teacher and not optimized & {id(p) for p in teacher}
    assert not any(p.requires_grad for p in model.decode_head.text_encoder.parameters())
    wanted = {'matrices'} if cfg.model.type == 'MaskCLIPPlus' else {'matrices', 'regions'}
    assert wanted <= set(steps[-1].fields)
    return wrapper


@torch.no_grad()
def check_prediction(model):
    model.eval().set_vocabulary(Vocabulary.from_string('cat; dog'))
    masks = encode_masks(np.ones((1, 40, 56), bool))
    given = SegDataSample(metainfo=dict(ori_shape=(40, 56), mask_rles=masks))
    (sample,) = model.predict(torch.randn(1, 3, 40, 56), [given])
    labels = sample.pred_sem_seg.data
    assert labels.shape == (1, 40, 56) and set(labels.unique().tolist()) <= {0, 1}


def check_iteration(model, wrapper):
    """Train for one iteration, in which all that is trained gets a gradient."""
    learned = set()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(lambda _, name=name: learned.add(name))
    loss = revert_sync_batchnorm(model).train().train_step(batch_of(model), wrapper)['loss']
    assert torch.isfinite(loss) and loss > 0
    assert learned == {name for name, p in model.named_parameters() if p.requires_grad}


def batch_of(model):
    """Return a tiny batch as the pipeline of the model's config collates."""
    for size in ('input_size', 'dino_size', 'teacher_size'):
        if getattr(model.data_preprocessor, size) is not None:
            setattr(model.data_preprocessor, size, (64, 64))
    if type(model).__name__ != 'PixelCLIP':
        return view_batch(2, side=64)
    batch = training_batch(counts=(3, 2))
    if model.data_preprocessor.strong_view is not None:
        del batch['inputs']['strong']
    return batch
