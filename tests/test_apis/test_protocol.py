"""Test protocols of SCLIP, ClearCLIP, NACLIP and PixelCLIP, chosen by name."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

from mmseg_langseg.apis import run_test
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.apis.protocol import list_protocols, use_protocol
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.configs import load, tiny_model
from tests.scripts import ROOT, load_script
from tests.test_datasets.test_benchmark_datasets import BENCHMARKS, write_benchmark, write_list
from tests.test_models.test_segmentors.test_thresholds import slow_labels
from tests.tiny import VIT

WHOLE = None
# Short side, window and stride, logit scale, threshold, area threshold, and vocabulary.
# wangf3014/SCLIP, revision b56bd30: clip_segmentor.py, configs/cfg_*.py
SCLIP = {
    'voc20': (336, (224, 112), 40, None, None, 'voc20_sclip'),
    'voc21': (336, (224, 112), 65, 0.1, 0.1, 'voc21_sclip'),
    'context59': (336, (224, 112), 40, None, None, 'context59_sclip'),
    'context60': (336, (224, 112), 50, 0.1, None, 'context60'),
    'coco_object': (336, (224, 112), 50, 0.1, None, 'coco_object_sclip'),
    'coco_stuff164k': (448, (224, 112), 40, None, None, 'coco_stuff171_sclip'),
    'cityscapes': (560, (224, 112), 40, None, None, 'cityscapes_sclip'),
    'ade20k': (336, (224, 112), 40, None, None, 'ade150_sclip'),
}
# mc-lan/ClearCLIP, revision ad68a40: clearclip_segmentor.py, configs/cfg_*.py
CLEARCLIP = {
    'voc20': (448, (448, 224), 50, None, None, 'voc20_clearclip'),
    'voc21': (448, (448, 224), 50, 0.5, None, 'voc21_clearclip'),
    'context59': (448, (448, 224), 50, None, None, 'context59_sclip'),
    'context60': (448, (448, 224), 50, 0.15, None, 'context60'),
    'coco_object': (448, (448, 224), 50, 0.4, None, 'coco_object'),
    'coco_stuff164k': (448, (448, 224), 50, None, None, 'coco_stuff171_sclip'),
    'cityscapes': (448, (224, 224), 50, None, None, 'cityscapes_sclip'),
    'ade20k': (448, (448, 224), 50, None, None, 'ade150_sclip'),
}
# sinahmr/NACLIP, revision 0cac3a6: naclip.py, configs/cfg_*.py
NACLIP = {
    'voc20': (336, WHOLE, 40, None, None, 'voc20_sclip'),
    'voc21': (336, WHOLE, 40, 0.1, None, 'voc21_sclip'),
    'context59': (336, (224, 112), 40, None, None, 'context59_sclip'),
    'context60': (336, (224, 112), 40, 0.1, None, 'context60'),
    'coco_object': (336, (224, 112), 40, 0.1, None, 'coco_object_sclip'),
    'coco_stuff164k': (336, (224, 112), 40, None, None, 'coco_stuff171_sclip'),
    'cityscapes': (560, (224, 112), 40, None, None, 'cityscapes_sclip'),
    'ade20k': (336, (224, 112), 40, None, None, 'ade150_sclip'),
}
PROTOCOLS = dict(sclip=SCLIP, clearclip=CLEARCLIP, naclip=NACLIP)
MODELS_OF_TABLE = ('sclip/vit-b16.py', 'maskclip/vit-b16.py', 'pixelclip/vit-b16_coco.py')


def loaded(config, protocol, benchmark):
    return load_config(load(config), benchmark=benchmark, protocol=protocol)


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('benchmark', SCLIP)
def test_numbers_of_the_official_code(protocol, benchmark):
    short, window, scale, threshold, share, vocabulary = PROTOCOLS[protocol][benchmark]
    plain = load_config(load(f'{protocol}/vit-b16.py'), benchmark=benchmark)
    cfg = loaded(f'{protocol}/vit-b16.py', protocol, benchmark)
    model, test = cfg.model, cfg.model.test_cfg
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert pipeline[1] == dict(type='Resize', scale=(2048, short), keep_ratio=True)
    assert [step.type for step in pipeline] == [
        'LoadImageFromFile', 'Resize', 'LoadLabelMap', 'PackSegInputs',
    ]  # fmt: skip
    assert cfg.test_pipeline == pipeline and 'tta_pipeline' not in cfg
    if window is WHOLE:
        assert test.mode == 'whole' and test.resize_directly is False
    else:
        size, stride = window
        assert (test.mode, test.crop_size, test.stride) == ('slide', (size,) * 2, (stride,) * 2)
    assert test.logit_scale == scale
    assert (test.get('threshold'), test.get('area_threshold')) == (threshold, share)
    pamr = dict(dilations=(8, 16), steps=10)
    assert test.get('pamr') == (pamr if protocol == 'naclip' else None)
    assert model.data_preprocessor == dict(
        type='CLIPDataPreProcessor', input_size=None, size_divisor=None
    )
    assert model.decode_head.feature_size is None
    assert model.decode_head.templates == 'imagenet'
    assert model.decode_head.vocabulary == f'{vocabulary}.json'
    # What is tested stays that of the benchmark.
    for key in ('data_root', 'data_prefix', 'type'):
        assert cfg.test_dataloader.dataset[key] == plain.test_dataloader.dataset[key]
    assert cfg.test_evaluator == plain.test_evaluator

    built = MODELS.build(tiny_model(cfg))
    dataset = plain.test_dataloader.dataset.type
    classes = BENCHMARKS.get(benchmark) or BENCHMARKS[f'pascal_{benchmark}']
    built.decode_head.vocabulary.check_num_classes(classes[2], dataset)
    first = built.decode_head.vocabulary.names[0]
    assert (threshold is None) or first == 'background'


@pytest.mark.parametrize('benchmark', SCLIP)
def test_pixelclip_keeps_what_the_benchmarks_have(benchmark):
    for config in ('pixelclip/vit-b16_coco.py', 'pixelclip/convnext-b_coco.py'):
        own = load_config(load(config), benchmark=benchmark)
        cfg = loaded(config, 'pixelclip', benchmark)
        cfg.model.data_preprocessor.pop('size_divisor')
        assert cfg.model.decode_head.pop('feature_size') == (64, 64)
        assert cfg.model == own.model
        assert cfg.test_dataloader == own.test_dataloader
    other = loaded('sclip/vit-b16.py', 'pixelclip', benchmark).model
    assert other.data_preprocessor.input_size == (320, 320)
    assert other.decode_head.templates == 'imagenet_select'
    assert other.decode_head.feature_size == (64, 64) and other.test_cfg == dict(mode='whole')
    assert other.backbone.readout == dict(type='sclip')


@pytest.mark.parametrize('protocol', ['sclip', 'clearclip', 'naclip', 'pixelclip'])
def test_models_of_one_table_share_the_protocol(protocol):
    models = [loaded(name, protocol, 'ade20k').model for name in MODELS_OF_TABLE]
    for model in models:
        assert model.test_cfg == models[0].test_cfg
        for part, keys in (
            ('decode_head', ('vocabulary', 'templates', 'feature_size')),
            ('data_preprocessor', ('input_size', 'size_divisor')),
        ):
            assert all(model[part][key] == models[0][part][key] for key in keys)
    assert len({str(model.backbone.get('readout')) for model in models}) == 3


@pytest.mark.parametrize('method', PROTOCOLS)
def test_a_methods_config_tests_by_its_protocol(method):
    cfg, named = load(f'{method}/vit-b16.py'), loaded(f'{method}/vit-b16.py', method, 'voc20')
    for key in ('model', 'test_dataloader', 'test_pipeline', 'test_evaluator', 'test_cfg'):
        assert cfg[key] == named[key], key
    assert cfg.model.backbone.readout == dict(type=method)


@pytest.mark.parametrize(
    ('config', 'options', 'message'),
    [
        ('sclip', dict(protocol='sclip'), '--protocol sclip needs --benchmark'),
        (
            'sclip',
            dict(protocol='tcl', benchmark='voc20'),
            "no protocol 'tcl'; expected one of clearclip, naclip, pixelclip, sclip",
        ),
        ('sclip', dict(protocol='../protocols/sclip', benchmark='voc20'), 'no protocol'),
        (
            'sclip',
            dict(protocol='sclip', benchmark='ade20k_847'),
            "'sclip' does not define the benchmark 'ade20k_847'; expected one of pascal_voc20",
        ),
        ('sclip', dict(protocol='sclip', benchmark='voc20', tta=True), '--tta is not part'),
        ('sclip', dict(tta=True), '--tta needs `tta_pipeline`'),
        (
            'maskclip/rn50.py',
            dict(protocol='pixelclip', benchmark='voc20'),
            'no input size for a CLIPResNet',
        ),
        (
            'clips4/transfer/r50_voc_linear-probe.py',
            dict(protocol='sclip', benchmark='voc20'),
            'has a FCNHead and a SegDataPreProcessor',
        ),
    ],
)
def test_clear_errors(config, options, message):
    name = config if config.endswith('.py') else f'{config}/vit-b16.py'
    with pytest.raises(ValueError, match=message):
        run_test(str(ROOT / 'configs' / name), **options)


def test_command_passes_the_option_on(monkeypatch):
    seen = []
    test = load_script('tools/test.py')
    monkeypatch.setattr(test, 'run_test', lambda config, **kwargs: seen.append(kwargs))
    test.main(['c.py', '--benchmark', 'voc20', '--protocol', 'sclip'])
    assert (seen[0]['benchmark'], seen[0]['protocol']) == ('voc20', 'sclip')
    assert list_protocols() == sorted([*PROTOCOLS, 'pixelclip'])


def test_an_option_overrides_the_protocol():
    cfg = load_config(
        load('naclip/vit-b16.py'),
        cfg_options={'model.test_cfg.pamr': None},
        benchmark='voc21',
        protocol='naclip',
    )
    assert cfg.model.test_cfg.pamr is None and cfg.model.test_cfg.threshold == 0.1


@torch.no_grad()
def slow_sclip(model, image, vocabulary):
    """Compute the labels of an RGB image as SCLIP does on VOC21, one window and pixel at a time."""
    height, width = image.shape[:2]
    factor = 336 / min(height, width)
    size = int(width * factor + 0.5), int(height * factor + 0.5)
    resized = torch.from_numpy(cv2.resize(image, size)).permute(2, 0, 1).float()
    inputs = (resized - model.data_preprocessor.mean) / model.data_preprocessor.std
    rows = model.decode_head.text_encoder.encode_vocabulary(vocabulary, 'single')
    total, count = torch.zeros(len(rows), *size[::-1]), torch.zeros(size[::-1])
    for y in range(0, max(size[1] - 224 + 111, 0) // 112 + 1):
        for x in range(0, max(size[0] - 224 + 111, 0) // 112 + 1):
            bottom, right = min(112 * y + 224, size[1]), min(112 * x + 224, size[0])
            place = (..., slice(bottom - 224, bottom), slice(right - 224, right))
            features = F.normalize(model.backbone(inputs[place][None])[0], dim=1)
            scores = torch.einsum('bdhw,rd->brhw', features, rows)
            total[place] += F.interpolate(scores, (224, 224), mode='bilinear')[0]
            count[place] += 1
    scores = F.interpolate((total / count)[None], (height, width), mode='bilinear')[0]
    return slow_labels(scores.numpy(), vocabulary.row_classes, 65.0, 0.1, 0.1)


def test_a_run_on_voc21_equals_sclips_rules_written_out(tmp_path):
    image, labels, _, values = BENCHMARKS['pascal_voc21']
    write_benchmark(tmp_path, image, labels, values)
    cfg = load('sclip/vit-b16.py')
    cfg.model = tiny_model(cfg, VIT)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    write_list(loaded('sclip/vit-b16.py', None, 'voc21').test_dataloader.dataset, tmp_path, image)
    figures = run_test(
        Config(cfg.to_dict()),
        str(tmp_path / 'model.pth'),
        str(tmp_path / 'work'),
        str(tmp_path / 'out'),
        cfg_options={
            'test_dataloader.dataset.data_root': str(tmp_path),
            'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False,
            'model.decode_head.templates': 'single',
        },
        benchmark='voc21',
        protocol='sclip',
    )
    assert 0 <= figures['mIoU'] <= 100
    vocabulary = Vocabulary.from_json('voc21_sclip.json')
    assert len(vocabulary.rows) == 26 + 18 + 7 + 5
    for number in (1, 2):
        rgb = np.asarray(Image.open(tmp_path / image.format(number)).convert('RGB'))
        (file,) = (tmp_path / 'out').rglob(f'*3{number}.png')
        found = np.asarray(Image.open(file))
        expected = slow_sclip(model, rgb, vocabulary)
        assert found.shape == expected.shape and (found != expected).mean() <= 0.01


def test_use_protocol_reads_a_benchmark_in_both_spellings():
    first, second = (loaded('sclip/vit-b16.py', None, 'voc21') for _ in range(2))
    use_protocol(first, 'sclip', 'voc21')
    use_protocol(second, 'sclip', 'pascal_voc21')
    assert first.model == second.model
