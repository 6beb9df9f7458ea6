"""Every config loads, builds a tiny model without a download, and has the documented values."""

import copy
import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmseg.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_langseg.apis.benchmark import use_benchmark
from mmseg_langseg.masks.formats import encode_masks
from mmseg_langseg.models.backbones import tower_class
from mmseg_langseg.models.clip_loader import ASSETS, EMBEDDED
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import CLASSES
from tests import golden, tiny_timm
from tests.tiny import CONV, RESNET, VIT, training_batch, view_batch

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in ROOT.rglob('*.py')
    if not {'_base_', 'transfer'} & set(path.parts)  # transfer: tests/test_evaluation
)
TOWERS = {
    'CLIPVisionTransformer': VIT,
    'CLIPTimmVisionTransformer': tiny_timm.SIGLIP,
    'CLIPTimmTower': CONV,
    'CLIPResNet': RESNET,
    'PE-Core-B-16': tiny_timm.arch('pe'),
    'MobileCLIP2-S2': tiny_timm.arch('fastvit'),
}
METHODS = ('pixelclip', 'maskclip', 'clips4')
TRAINING_FREE = ('sclip', 'clearclip', 'naclip')
BENCHMARKS = {'voc': 20, 'context': 59, 'cocostuff': 171, 'ade': 150}


@functools.cache
def read(name):
    return Config.fromfile(ROOT / name)


def load(name, benchmark=None):
    cfg = copy.deepcopy(read(name))
    if benchmark:
        use_benchmark(cfg, benchmark)
    return cfg


def tiny_model(cfg, arch=None):
    """The model config with random weights in a tiny CLIP of the right kind, and a tiny student."""
    model = copy.deepcopy(cfg.model)
    clip, tower = model.clip, model.get('teacher') or model.backbone
    if str(clip.pretrained).startswith(EMBEDDED):
        if not (ASSETS / f'{clip.pretrained.removeprefix(EMBEDDED)}.pth').is_file():
            clip.pretrained = None
    else:
        kind = tower.type
        if kind == 'CLIPImageTower':
            kind = tower_class(clip.arch).__name__
        clip.arch, clip.pretrained = arch or TOWERS.get(str(clip.arch), TOWERS[kind]), None
        text_encoder = model.decode_head.text_encoder
        if text_encoder.get('arch'):
            text_encoder.update(arch=clip.arch, pretrained=None)
    if model.get('mask_generator'):
        model.mask_generator.update(model_name='test_vit', pretrained=False)
    if model.decode_head.get('vocabulary'):
        model.decode_head.templates = 'single'  # not 85 sentences for each of 171 names
    if model.get('neck'):
        shrink_student(model)
    return model


def shrink_student(model):
    backbone, neck = model.backbone, model.neck
    if backbone.type == 'VisionTransformer':
        backbone.update(embed_dims=16, num_heads=2)
        neck.head.update(in_channels=16, channels=8)
    else:
        backbone.update(depth=18, stem_channels=8, base_channels=8)
        neck.head.update(in_channels=64, channels=8)
    neck.embed_dim = model.clip.arch.embed_dim


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


@pytest.mark.parametrize(
    'name, scale, size',
    [
        ('vit-b16_coco', 100.0, (320, 320)),
        ('vit-b16_sa1b-dino', 100.0, (320, 320)),
        ('convnext-b_sa1b', 1.0, (640, 640)),
        ('convnext-l_sa1b', 1.0, (640, 640)),
    ],
)
def test_numbers_of_the_official_code(name, scale, size):
    cfg = load(f'pixelclip/{name}.py')
    head = cfg.model.decode_head
    assert (head.prompts.num_clusters, head.prompts.length) == (64, 4)
    assert (head.clusterer.scale, head.clusterer.iterations) == (scale, 3)
    assert cfg.model.momentum == 0.999
    assert cfg.model.data_preprocessor.input_size == size
    assert 8 * cfg.train_dataloader.batch_size == 48
    assert cfg.train_cfg.max_iters == 10000
    assert cfg.optim_wrapper.clip_grad.max_norm == 0.01


def optimized(name, arch):
    """Return name, module and optimizer group of every trained parameter."""
    cfg = load(name)
    model = MODELS.build(tiny_model(cfg, arch))
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper.optimizer) is torch.optim.AdamW
    groups = {id(p): group for group in wrapper.optimizer.param_groups for p in group['params']}
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert {id(p) for _, p in trained} == groups.keys()
    return [(n, model.get_submodule(n.rpartition('.')[0]), groups[id(p)]) for n, p in trained]


@pytest.mark.parametrize('tower, data', [('vit-b16', 'coco'), ('convnext-b', 'sa1b')])
def test_each_group_has_its_learning_rate_and_norms_have_no_decay(tower, data):
    arch = VIT if tower == 'vit-b16' else golden.convnext_arch()
    rates = {
        'backbone.visual.': 2e-6,
        'decode_head.prompts.': 2e-3,
        'decode_head.mask_decoder.': 2e-4,
    }
    seen, norms = set(), set()
    for name, module, group in optimized(f'pixelclip/{tower}_{data}.py', arch):
        (prefix,) = [prefix for prefix in rates if name.startswith(prefix)]
        seen.add(prefix)
        assert group['lr'] == pytest.approx(rates[prefix], rel=1e-12), name
        norm = isinstance(module, (nn.LayerNorm, nn.GroupNorm))
        norms.add((prefix, norm))
        assert group['weight_decay'] == (0 if norm else pytest.approx(1e-4)), name
    assert seen == rates.keys()
    # ConvNeXt trains its norms, the ViT does not; the decoder has both kinds of norms.
    assert (('backbone.visual.', True) in norms) == (tower == 'convnext-b')
    assert {('backbone.visual.', False), ('decode_head.mask_decoder.', True)} <= norms


def test_all_norms_of_a_convnext_are_found_at_all_their_places():
    rows = optimized('pixelclip/convnext-b_sa1b.py', golden.convnext_arch())
    places = {n for n, m, _ in rows if isinstance(m, nn.LayerNorm)}
    for part in ('stem.1.weight', 'stages.1.downsample.0.bias', 'blocks.0.norm.weight'):
        assert any(name.endswith(part) for name in places), part
    assert any('trunk.head.norm' in name for name in places)


def test_schedule_falls_as_a_cosine_to_one_half():
    cfg = load('pixelclip/vit-b16_coco.py')
    (scheduler,) = cfg.param_scheduler
    rates = (2e-6, 2e-3, 2e-4)
    optimizer = torch.optim.SGD(
        [dict(params=[nn.Parameter(torch.zeros(1))], lr=lr) for lr in rates], lr=1.0
    )
    scheduler = PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
    expected = {0: 1.0, 2500: 0.927, 5000: 0.75, 7500: 0.573, 10000: 0.5}
    for step in range(cfg.train_cfg.max_iters + 1):
        if step in expected:
            exact = 0.75 + 0.25 * math.cos(math.pi * step / 10000)
            assert exact == pytest.approx(expected[step], abs=5e-4)
            for group, lr in zip(optimizer.param_groups, rates, strict=True):
                assert group['lr'] == pytest.approx(exact * lr, rel=1e-6)
        optimizer.step()
        scheduler.step()


def test_fixed_names_are_the_classes_of_the_scenes():
    cfg = load('pixelclip/ablations/synthetic_fixed-names.py')
    assert tuple(cfg.model.decode_head.prompts.names) == CLASSES


def test_free_centroids_are_as_many_as_the_prompts():
    clusters = {
        load(f'pixelclip/{name}.py').model.decode_head.prompts.num_clusters
        for name in ('resnet_synthetic', 'ablations/synthetic_free-centroids')
    }
    assert len(clusters) == 1, clusters


@pytest.mark.parametrize('method', METHODS)
def test_metafile_lists_every_training_config(method):
    content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
    listed = [model['Config'] for model in content['Models']]
    trained = [
        f'configs/{name}'
        for name in CONFIGS
        if name.startswith(f'{method}/')
        and 'ablations' not in name
        and load(name).get('train_dataloader')
    ]
    assert sorted(listed) == trained
    for model in content['Models']:
        assert model['Name'] == f'{method}_{Path(model["Config"]).stem}'


def test_metafiles_list_every_training_free_method():
    index = yaml.safe_load((ROOT.parent / 'model-index.yml').read_text(encoding='utf-8'))
    files = [f'configs/{method}/metafile.yml' for method in (*METHODS, *TRAINING_FREE)]
    assert sorted(index['Import']) == sorted(files)
    for method in TRAINING_FREE:
        content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
        listed = {model['Name']: model['Config'] for model in content['Models']}
        configs = [
            name for name in CONFIGS if name.startswith(f'{method}/') and 'ablations' not in name
        ]
        assert listed == {f'{method}_{Path(name).stem}': f'configs/{name}' for name in configs}


# Images per step: Sec. 4.1 of PixelCLIP, the official MaskCLIP+; our choice for CLIP-S4.
STEP = {'pixelclip': 48, 'maskclip': 16, 'clips4': 8}


@pytest.mark.parametrize('method', METHODS)
def test_eight_processes_train_at_the_global_batch(method):
    content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
    for model in content['Models']:
        cfg = load(model['Config'].removeprefix('configs/'))
        batch, listed = cfg.train_dataloader.batch_size, model['Metadata']['Batch Size']
        if 'synthetic' in model['Name']:  # one process
            assert batch == listed, model['Name']
            continue
        assert cfg.auto_scale_lr.base_batch_size == listed == STEP[method]
        # The configs for your own photos use fewer processes.
        photos = {'pixelclip': 4, 'clips4': 1} if model['Name'].endswith('_photos') else {}
        processes = photos.get(method, 8)
        assert processes * batch == STEP[method], model['Name']


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
