from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer, read_image
from tests.tiny import VIT

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
TEXTS = 'ring; cross, plus; star'


@pytest.fixture(scope='module')
def config():
    """The embedded config with random weights."""
    cfg = Config.fromfile(CONFIG)
    cfg.model.clip.pretrained = None
    return cfg


@pytest.fixture(scope='module')
def inferencer(config):
    torch.manual_seed(0)
    return LangSegInferencer(config, device='cpu')


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'image.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(path)
    return path


def test_labels_have_the_size_of_the_image_and_the_words_as_classes(inferencer, image):
    result = inferencer(image, TEXTS)
    assert result.classes == ('ring', 'cross', 'star')
    assert result.labels.shape == (64, 96) and result.image.shape == (64, 96, 3)
    assert set(np.unique(result.labels)) <= {0, 1, 2}


def test_file_and_array_agree(inferencer, image):
    by_file = inferencer(image, TEXTS).labels
    by_array = inferencer(np.asarray(Image.open(image)), TEXTS).labels
    assert np.array_equal(by_file, by_array)


def test_new_words_replace_the_old(inferencer, image):
    first = inferencer(image, TEXTS)
    swapped = inferencer(image, 'star; ring; cross, plus')
    back = inferencer(image, TEXTS)
    assert np.array_equal(first.labels, back.labels)
    # The same words in another order: the same map after renaming.
    rename = np.array([swapped.classes.index(name) for name in first.classes])
    assert np.array_equal(rename[first.labels], swapped.labels)


def test_size_is_that_of_the_configs_test():
    cfg = Config.fromfile(ROOT / 'configs/maskclip/vit-b16_voc.py')
    cfg.model.update(clip=dict(arch=VIT, pretrained=None))
    cfg.model.decode_head.update(
        templates='single', text_encoder=dict(type='OpenCLIPTextEncoder', arch=VIT)
    )
    resize = LangSegInferencer(cfg, device='cpu')._pipeline.transforms[1]
    assert resize.scale == (2048, 512)  # MaskCLIP's, not the (2560, 640) of other tests


def test_same_preprocessing_as_the_test(inferencer, image):
    """The logits behind the answer are those of the model on the image squashed by the config."""
    bgr = np.asarray(Image.open(image))[..., ::-1].copy()
    model = inferencer.model
    inferencer(image, TEXTS)
    data = {'inputs': [torch.from_numpy(bgr.transpose(2, 0, 1))]}
    batch = model.data_preprocessor(data, training=False)['inputs']
    with torch.no_grad():
        logits = model.encode_decode(batch, [{}])
    labels = torch.nn.functional.interpolate(logits, (64, 96), mode='bilinear').argmax(1)[0]
    agree = (labels.numpy() == inferencer(image, TEXTS).labels).mean()
    assert agree > 0.999


def test_weights_are_loaded(config, inferencer, image, tmp_path):
    state = {
        name: value + 0.5 * torch.randn_like(value) if value.is_floating_point() else value
        for name, value in inferencer.model.state_dict().items()
    }
    torch.save({'state_dict': state}, tmp_path / 'weights.pth')
    loaded = LangSegInferencer(config, str(tmp_path / 'weights.pth'), device='cpu')
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_missing_and_broken_files_are_named(config, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg'):
        read_image(tmp_path / 'gone.jpg')
    for name, content in (('text.jpg', b'no image'), ('empty.jpg', b'')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name}.*cannot be decoded'):
            read_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        LangSegInferencer(config, 'gone.pth')
    with pytest.raises(FileNotFoundError, match=r'gone\.py'):
        LangSegInferencer('gone.py')


@pytest.mark.parametrize('texts', ['', ' ; ', 'cat; cat', 'cat; ; dog'])
def test_bad_words(inferencer, image, texts):
    with pytest.raises(ValueError):
        inferencer(image, texts)
