import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.datasets.image_pipeline import ImagePipeline
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.tiny import VIT, pixelclip_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
TEXTS = 'ring; cross, plus; star'


@pytest.fixture(scope='module')
def config():
    """The bundled config with random weights."""
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
    # The same names in another order: the same map after renaming.
    rename = np.array([swapped.classes.index(name) for name in first.classes])
    assert np.array_equal(rename[first.labels], swapped.labels)


def test_size_is_that_of_the_configs_test():
    cfg = Config.fromfile(ROOT / 'configs/maskclip/vit-b16.py')
    resize = ImagePipeline(cfg).steps[0]
    assert resize['scale'] == (2048, 512)  # MaskCLIP's, not the (2560, 640) of other tests


def test_same_preprocessing_as_the_test(inferencer, image):
    """The result's logits are the model's on the image resized by the config's pipeline."""
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


def test_missing_files_are_named(config):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        LangSegInferencer(config, 'gone.pth')
    with pytest.raises(FileNotFoundError, match=r'gone\.py'):
        LangSegInferencer('gone.py')


@pytest.mark.parametrize('texts', ['', ' ; ', 'cat; cat', 'cat; ; dog'])
def test_bad_words(inferencer, image, texts):
    with pytest.raises(ValueError):
        inferencer(image, texts)


@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (64, 3), (31, 33)])
def test_labels_have_the_shape_of_any_image(inferencer, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    result = inferencer(image, TEXTS)
    assert result.labels.shape == shape and result.labels.dtype == np.int64


def test_gray_agrees_with_its_rgb_twin(inferencer):
    gray = np.random.default_rng(2).integers(0, 256, (40, 56), np.uint8)
    expected = inferencer(np.stack([gray] * 3, axis=2), TEXTS).labels
    assert len(np.unique(expected)) > 1
    for image in (gray, gray[..., None], Image.fromarray(gray)):
        assert np.array_equal(inferencer(image, TEXTS).labels, expected)


def test_pil_and_rgba_images_agree_with_the_file(inferencer, image):
    expected = inferencer(image, TEXTS).labels
    pil = Image.open(image)
    assert np.array_equal(inferencer(pil, TEXTS).labels, expected)
    rgba = pil.convert('RGBA')
    assert np.array_equal(inferencer(np.asarray(rgba), TEXTS).labels, expected)
    assert np.array_equal(inferencer(rgba, TEXTS).labels, expected)


def test_images_of_unknown_range_are_refused(inferencer, image):
    pixels = np.asarray(Image.open(image))
    for wrong in (pixels / 255, pixels.astype(np.uint16) * 256, pixels[:0]):
        with pytest.raises(ValueError, match=r'expected|no pixels'):
            inferencer(wrong, TEXTS)
    for wrong in (torch.zeros(3, 8, 8), [pixels, 3]):
        with pytest.raises(TypeError, match='expected'):
            inferencer(wrong, TEXTS)


def test_image_that_the_pipeline_cannot_resize_is_named(config):
    cfg = config.copy()
    cfg.test_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(640, 64), keep_ratio=True),
        dict(type='PackSegInputs'),
    ]
    segment = LangSegInferencer(cfg, device='cpu')
    with pytest.raises(ValueError, match='4000x1 pixels'):
        segment(np.zeros((1, 4000, 3), np.uint8), TEXTS)


def test_all_forms_of_texts_agree(inferencer, image, tmp_path):
    expected = inferencer(image, TEXTS)
    file = tmp_path / 'words.json'
    file.write_text('{"classes": ["ring", "cross, plus", "star"]}', encoding='utf-8')
    names = ['ring', 'cross, plus', 'star']
    for texts in (names, tuple(names), Vocabulary.from_names(names), file, str(file)):
        result = inferencer(image, texts)
        assert result.classes == expected.classes
        assert np.array_equal(result.labels, expected.labels)


@pytest.mark.parametrize('texts', [None, 3, {'ring', 'star'}, {'ring': 1}, iter(['ring'])])
def test_texts_of_another_kind_are_refused(inferencer, image, texts):
    with pytest.raises(TypeError, match='texts is of type'):
        inferencer(image, texts)


def test_config_options(config):
    segment = LangSegInferencer(
        config, device='cpu', cfg_options={'model.decode_head.feature_size': (4, 4)}
    )
    assert segment.model.decode_head.feature_size == (4, 4)


def test_model_without_language_head_is_refused(tiny_config):
    with pytest.raises(ValueError, match='LanguageHead, got EncoderDecoder with a FCNHead'):
        LangSegInferencer(tiny_config, device='cpu')


def test_checkpoint_of_random_weights_asks_for_no_download(inferencer, config, image, tmp_path):
    path = tmp_path / 'random.pth'
    torch.save({'state_dict': inferencer.model.state_dict()}, path)
    expected = inferencer(image, TEXTS).labels
    options = {'model.clip.pretrained': str(tmp_path / 'not_there.pt')}
    with pytest.raises(FileNotFoundError, match=r'not_there\.pt'):
        LangSegInferencer(config, device='cpu', cfg_options=options)
    loaded = LangSegInferencer(config, str(path), device='cpu', cfg_options=options)
    assert np.array_equal(loaded(image, TEXTS).labels, expected)


def test_a_public_model_without_its_weights_is_warned_of(tmp_path):
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=VIT)))
    cfg = Config(dict(model=pixelclip_config(arch=str(tmp_path))))
    with pytest.warns(LangSegWarning, match='random weights') as caught:
        model = LangSegInferencer(cfg, device='cpu').model
    assert f'Set model.clip.pretrained to {str(tmp_path)!r}.' in str(caught[0].message)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'trained.pth')
    own = Config(dict(model=pixelclip_config()))
    with warnings.catch_warnings():
        warnings.simplefilter('error', LangSegWarning)
        LangSegInferencer(cfg, str(tmp_path / 'trained.pth'), device='cpu')
        LangSegInferencer(own, device='cpu')
