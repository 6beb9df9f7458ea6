import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'


def load_demo():
    spec = importlib.util.spec_from_file_location('image_demo', ROOT / 'demo' / 'image_demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def random_config(tmp_path):
    """The embedded config with random weights."""
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
    if content == 'picture':
        Image.new('RGB', (8, 8)).save(image)
    elif content is not None:
        image.write_bytes(content)
    with pytest.raises(error, match=message):
        demo.main([str(image), str(CONFIG), '--texts', texts])


def benchmark(*args):
    command = [sys.executable, str(ROOT / 'tools' / 'benchmark.py'), *map(str, args)]
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.multiprocess
def test_benchmark_of_a_config():
    sizes = ['--image-size', 64, 64, '--mask-size', 32, 32, '--masks', 4, '--classes', 3]
    done = benchmark(
        CONFIG, '--batch-size', 1, '--steps', 1, '--device', 'cpu', *sizes, '--cfg-options',
        'model.decode_head.decoder_channels=4,4',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for word in ('training step', 'inference', 'images/s', 'MiB', 'torch', 'random weights'):
        assert word in done.stdout


@pytest.mark.multiprocess
def test_benchmark_of_pooling_agrees_and_saves_memory():
    sizes = ['--channels', 256, '--grid', 8, 8, '--mask-size', 256, 256, '--masks', 2]
    done = benchmark('--what', 'pooling', '--batch-size', 2, '--steps', 1, *sizes)
    assert done.returncode == 0, done.stderr[-3000:]
    upsampled, transposed = [line for line in done.stdout.splitlines() if 'images/s' in line]
    assert float(transposed.rpartition(' ')[2]) < 1e-5
    added = [int(row.partition('(+')[2].partition(')')[0]) for row in (upsampled, transposed)]
    if 'CPU' in done.stdout:
        assert added[0] > added[1] + 100  # 2 x 256 x 256 x 256 floats are 128 MiB
