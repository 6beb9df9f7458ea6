import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from tests.configs import tiny_model
from tests.scripts import load_script, tool_path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'


def load_demo():
    return load_script('demo/image_demo.py')


@pytest.fixture
def random_config(tmp_path):
    """Write the bundled config with random weights."""
    path = tmp_path / 'random.py'
    path.write_text(f'_base_ = [{str(CONFIG)!r}]\nmodel = dict(clip=dict(pretrained=None))\n')
    return path


def test_demo_writes_an_overlay_wider_than_the_image(random_config, tmp_path):
    image = tmp_path / 'photo.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(image)
    texts = ['--texts', 'ring; cross, plus; star', '--device', 'cpu']
    out = load_demo().main([str(image), str(random_config), *texts])
    assert out == tmp_path / 'photo_overlay.png'
    width, height = Image.open(out).size
    assert width > 96 and height >= 64


@pytest.mark.parametrize(
    ('content', 'texts', 'error', 'message'),
    [
        (None, 'cat; dog', FileNotFoundError, 'photo.png'),
        (b'not an image', 'cat; dog', ValueError, 'photo.png.*cannot be decoded'),
        ('folder', 'cat; dog', IsADirectoryError, 'photo.png'),
        ('picture', ' ', ValueError, ''),
        ('picture', 'cat; dog, cat', ValueError, 'cat'),
    ],
)
def test_demo_stops_at_bad_input_before_it_loads_a_model(
    tmp_path, monkeypatch, content, texts, error, message
):
    demo = load_demo()
    monkeypatch.setattr(demo, 'LangSegInferencer', lambda *_: pytest.fail('a model was loaded'))
    image = tmp_path / 'photo.png'
    if content == 'folder':
        image.mkdir()
    elif content == 'picture':
        Image.new('RGB', (8, 8)).save(image)
    elif content is not None:
        image.write_bytes(content)
    with pytest.raises(error, match=message):
        demo.main([str(image), str(CONFIG), '--texts', texts])


@pytest.mark.parametrize(
    ('out', 'error', 'message'),
    [
        ('noext', ValueError, 'noext.*must end in'),
        ('photo.png', ValueError, 'is the input'),
        ('other.jpg', FileExistsError, 'other.jpg.*nothing was written'),
        (None, FileExistsError, 'photo_overlay.png.*nothing was written'),
    ],
)
def test_demo_keeps_files_and_checks_the_output_before_it_loads_a_model(
    tmp_path, monkeypatch, out, error, message
):
    demo = load_demo()
    monkeypatch.setattr(demo, 'LangSegInferencer', lambda *_: pytest.fail('a model was loaded'))
    for name in ('photo.png', 'other.jpg', 'photo_overlay.png'):
        Image.new('RGB', (8, 8), 'green').save(tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    options = ['--out', str(tmp_path / out)] if out else []
    with pytest.raises(error, match=message):
        demo.main([str(tmp_path / 'photo.png'), str(CONFIG), '--texts', 'cat; dog', *options])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_demo_takes_an_empty_output_for_a_mistake(tmp_path, monkeypatch):
    demo = load_demo()
    monkeypatch.setattr(demo, 'LangSegInferencer', lambda *_: pytest.fail('a model was loaded'))
    Image.new('RGB', (8, 8)).save(tmp_path / 'photo.png')
    image = str(tmp_path / 'photo.png')
    with pytest.raises(IsADirectoryError, match='is a folder'):
        demo.main([image, str(CONFIG), '--texts', 'cat; dog', '--out', ''])


@pytest.mark.parametrize('opacity', ['-0.1', '1.5', 'nan', 'much'])
def test_demo_refuses_an_opacity_out_of_range(opacity, capsys):
    with pytest.raises(SystemExit):
        load_demo().parse_args(['a.png', 'b.py', '--texts', 'a; b', '--opacity', opacity])
    assert '--opacity' in capsys.readouterr().err


def test_demo_replaces_its_own_picture_and_takes_options(random_config, tmp_path):
    image = tmp_path / 'photo.png'
    Image.new('RGB', (32, 32), 'red').save(image)
    command = [str(image), str(random_config), '--texts', 'ring; cross', '--device', 'cpu']
    option = ['--cfg-options', 'model.clip.pretrained=embedded:clip_resnet_tiny_seed0']
    first = load_demo().main(command)
    assert load_demo().main([*command, '--opacity', '1', *option]) == first


@pytest.fixture
def benchmark_module(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'benchmarks')
    return load_script('tools/benchmarks/benchmark_training.py')


@pytest.mark.multiprocess
def test_benchmark_of_pooling_agrees_and_saves_memory():
    sizes = ['--channels', 256, '--grid', 8, 8, '--mask-size', 256, 256, '--masks', 2]
    arguments = ['--what', 'pooling', '--batch-size', 2, '--steps', 1, *sizes]
    # Linux counts the memory of a process in the peak of its children, so not in this process.
    command = [sys.executable, str(tool_path('benchmark_training')), *map(str, arguments)]
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    upsampled, transposed = [line for line in done.stdout.splitlines() if 'images/s' in line]
    assert float(transposed.rpartition(' ')[2]) < 1e-5
    added = [int(row.partition('(+')[2].partition(')')[0]) for row in (upsampled, transposed)]
    if 'CPU' in done.stdout:
        assert added[0] > added[1] + 100  # 2 x 256 x 256 x 256 floats are 128 MiB


def test_benchmark_of_a_config(benchmark_module):
    sizes = ['--image-size', '64', '64', '--mask-size', '32', '32', '--masks', '4']
    common = [str(CONFIG), '--batch-size', '1', '--steps', '1', '--device', 'cpu', '--classes', '3']
    options = ['--cfg-options', 'model.decode_head.decoder_channels=4,4']
    args = benchmark_module.parse_args([*common, *sizes, *options])
    assert args.what == ['train', 'test']
    names = [('train', 'training step'), ('test', 'inference'), ('tower', 'image tower')]
    for what, name in names:
        assert 'random weights' in benchmark_module.protocol(what, args)
        figures = benchmark_module.run_one(what, name, args)
        row = benchmark_module.format_row(name, figures)
        assert row.split()[: len(name.split())] == name.split()
        assert 'images/s' in row and 'MiB' in row
    assert 'torch' in benchmark_module.machine('cpu')


def test_benchmark_uses_the_precision_and_the_compilation_of_the_config(benchmark_module):
    cfg = Config.fromfile(CONFIG)
    cfg.custom_hooks = [
        dict(type='MatmulPrecisionHook', precision='high'),
        dict(type='CompileHook', parts=['decode_head.mask_decoder'], backend='eager'),
        dict(type='DatasetVocabularyHook'),
    ]
    model = benchmark_module.build_model(cfg, 'cpu')
    torch.set_float32_matmul_precision('highest')
    try:
        benchmark_module.apply_hooks(cfg, model)
        assert torch.get_float32_matmul_precision() == 'high'
    finally:
        torch._dynamo.config.suppress_errors = False
    assert model.decode_head.mask_decoder._compiled_call_impl is not None
    assert model.backbone._compiled_call_impl is None


def test_benchmark_of_a_clips4_step_with_the_teacher_and_without(benchmark_module, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs' / 'clips4' / 'r50_voc.py')
    cfg.model = tiny_model(cfg)
    cfg.model.data_preprocessor.teacher_size = (32, 32)
    cfg.dump(tmp_path / 'tiny.py')
    sizes = ['--image-size', '64', '64', '--grid', '4', '4', '--regions', '3', '--batch-size', '2']
    common = [str(tmp_path / 'tiny.py'), '--steps', '1', '--device', 'cpu', *sizes]
    for options in ([], ['--cfg-options', 'model.teacher=None']):
        args = benchmark_module.parse_args([*common, *options])
        figures = benchmark_module.run_one('train', 'training step', args)
        assert figures['cpu_seconds'] > 0 and figures['images_per_second'] > 0
        assert 'ms/step (CPU ' in benchmark_module.format_row('training step', figures)


def test_benchmark_of_the_components_of_clips4(benchmark_module):
    sizes = ['--channels', '16', '--grid', '8', '8', '--regions', '3', '--image-size', '40', '48']
    what = ['--what', 'contrast', 'views', '--batch-size', '1', '--steps', '1', '--device', 'cpu']
    args = benchmark_module.parse_args([*what, *sizes])
    for group in args.what:
        for name in benchmark_module.MEASUREMENTS[group]:
            figures = benchmark_module.run_one(group, name, args)
            assert figures['seconds'] > 0, name
            # Two views with three regions each; noise splits each into 2 to 16 clusters.
            assert 2 * 3 < figures.get('segments', 7) <= 2 * 3 * 16
    with pytest.raises(SystemExit):
        benchmark_module.parse_args(['--what', 'contrast', 'train'])


def test_benchmark_of_label_maps_counts_different_pixels(benchmark_module):
    sizes = ['--channels', '8', '--image-size', '340', '400', '--classes', '5']
    common = ['--what', 'labels', '--steps', '1', '--device', 'cpu', '--compare-labels']
    args = benchmark_module.parse_args([*common, *sizes])
    assert '5 classes' in benchmark_module.protocol('labels', args)
    for name in benchmark_module.MEASUREMENTS['labels']:
        figures = benchmark_module.run_one('labels', name, args)
        assert ('different_labels' in figures) == name.endswith('bounded')
        assert figures.get('different_labels', 0) == 0


def test_random_regions_are_voronoi_cells_of_random_points(benchmark_module):
    regions = benchmark_module.random_regions(2, (9, 12), 5)
    assert regions.shape == (2, 9, 12) and regions.dtype.is_signed
    assert not regions[0].equal(regions[1])
    assert set(regions.unique().tolist()) <= set(range(5)) and len(regions.unique()) > 1


def test_benchmark_of_strong_views(benchmark_module):
    sizes = ['--batch-size', '2', '--steps', '1', '--device', 'cpu', '--image-size', '32', '40']
    args = benchmark_module.parse_args(['--what', 'strong', *sizes])
    assert 'strong views of images of 32x40, batch 2' in benchmark_module.protocol('strong', args)
    for name in ('as in a loader worker', 'on the device'):
        assert benchmark_module.run_one('strong', name, args)['images_per_second'] > 0
