"""Exported models give the logits of the segmentor, with any vocabulary and any batch size."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer, export_model, export_texts
from mmseg_langseg.deployment import FORMATS, ImageNetwork, ModelFormat, onnx_format
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import render_scene
from tests import tiny_timm
from tests.scripts import ROOT, load_script
from tests.tiny import CONV, RESNET, clips4_config, pixelclip_config

SIZE = (40, 64)
WORDS = 'cat; dog, puppy; grass'
OTHERS = Vocabulary.from_names(
    ['sky', 'tree', 'car, truck', 'person', 'sea'], ['wall', 'floor, ground'], True
)


def tower(kind):
    """Return the config of a tiny model."""
    if kind == 'clips4':
        config = clips4_config()
        # A grid of 5x8, which these numbers do not divide.
        config['neck']['head'].update(type='PSPHead', pool_scales=(1, 2, 3, 6))
        return config
    if kind == 'resnet':
        return pixelclip_config(RESNET, backbone=dict(type='CLIPResNet', with_keys=True))
    if kind == 'convolutional':
        return pixelclip_config(CONV)
    if kind in tiny_timm.KINDS:
        return pixelclip_config(tiny_timm.arch(kind), backbone=dict(type='CLIPImageTower'))
    return pixelclip_config(backbone=dict(type='CLIPVisionTransformer', readout=kind))


def inferencer(kind='value_cls', **changes):
    torch.manual_seed(0)
    options = {f'model.{key}': value for key, value in changes.items()}
    return LangSegInferencer(Config(dict(model=tower(kind))), device='cpu', cfg_options=options)


def load_exported(folder):
    """Load a model; return a function from RGB images ``(B, H, W, 3)`` to class logits."""
    info = json.loads((folder / 'model.json').read_text())
    (kind,) = (kind() for kind in FORMATS.values() if kind.file_name == info['file'])
    run = kind.load((folder / info['file']).read_bytes())

    def class_logits(images):
        texts = json.loads((folder / 'texts.json').read_text())
        text = np.array(texts['embeddings'], np.float32)
        logits = run(images.transpose(0, 3, 1, 2).astype(np.float32), text)
        assert list(logits.shape[2:]) == info['grid_size']
        first_rows = np.unique(texts['row_classes'], return_index=True)[1]
        return np.maximum.reduceat(logits, first_rows, axis=1)

    return class_logits


def own_logits(segment, images, vocabulary):
    """Run the segmentor as the inferencer does."""
    model = segment.model
    model.decode_head.set_vocabulary(vocabulary)
    bgr = [torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy()) for image in images]
    with torch.no_grad():
        inputs = model.data_preprocessor(dict(inputs=bgr), False)['inputs']
        return model.decode_head(model.extract_feat(inputs)).numpy()


def photos(count):
    return np.random.default_rng(count).integers(0, 256, (count, *SIZE, 3), np.uint8)


def check_parity(segment, folder):
    exported = load_exported(folder)
    for batch in (1, 3):
        wanted = own_logits(segment, photos(batch), Vocabulary.parse(WORDS))
        assert wanted.std() > 1e-2
        assert np.abs(exported(photos(batch)) - wanted).max() < 1e-4
    export_texts(segment, folder, OTHERS, overwrite=True)
    wanted = own_logits(segment, photos(2), OTHERS)
    assert wanted.shape[1] == 6 and len(OTHERS.rows) == 9
    assert np.abs(exported(photos(2)) - wanted).max() < 1e-4


KINDS = ['tokens', 'value_cls', 'naclip', 'resnet', 'clips4', 'siglip', 'pe', 'fastvit']


@pytest.mark.parametrize('kind', KINDS)
def test_onnx_files_give_the_logits_of_the_segmentor(kind, tmp_path):
    segment = inferencer(kind, **{'data_preprocessor.input_size': SIZE})
    before = {name: value.clone() for name, value in segment.model.state_dict().items()}
    exported = export_model(segment, tmp_path, WORDS)
    assert exported.difference < 1e-4
    check_parity(segment, tmp_path)
    after = segment.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_programs_of_torch_give_the_logits_of_the_segmentor(tmp_path):
    segment = inferencer('naclip', **{'data_preprocessor.input_size': SIZE})
    export_model(segment, tmp_path, WORDS, 'torch-export')
    check_parity(segment, tmp_path)


def test_channels_and_normalization_of_the_config_are_exported(tmp_path):
    options = dict(input_size=SIZE, bgr_to_rgb=False, mean=[10, 90, 200], std=[20, 60, 90])
    changes = {f'data_preprocessor.{key}': value for key, value in options.items()}
    segment = inferencer('convolutional', **changes)
    export_model(segment, tmp_path, WORDS)
    check_parity(segment, tmp_path)


def test_the_program_of_the_page_gives_the_labels_of_the_inferencer(tmp_path):
    """With the command, the bundled model, and neither torch nor this package."""
    page = (ROOT / 'docs' / 'deployment.md').read_text()
    (program,) = re.findall(r'```python\n(# segment_onnx\.py.*?)```', page, re.DOTALL)
    (tmp_path / 'program.py').write_text(f'{program}\nassert "torch" not in sys.modules')
    words = 'ring; cross, plus; star; brick; grass; sand'
    command = ['embedded', '--texts', words, '--size', '64', '64', '--out', f'{tmp_path}/model']
    with pytest.warns(LangSegWarning, match='meaningless'):
        load_script('tools/export_model.py').main(command)
    scene = render_scene('test', 1).image
    Image.fromarray(scene).save(tmp_path / 'photo.png')
    done = subprocess.run(
        [sys.executable, 'program.py', 'model', 'photo.png', 'labels.png'],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with pytest.warns(LangSegWarning, match='meaningless'):
        result = LangSegInferencer('embedded', device='cpu')(scene, words)
    labels = np.asarray(Image.open(tmp_path / 'labels.png'))
    assert labels.dtype == np.uint8 and len(np.unique(labels)) > 1
    assert (labels == result.labels).mean() > 0.999
    assert str(labels[0, 0]) in done.stdout


def test_a_single_class_has_contrast_words(tmp_path):
    """As in the inferencer, since every pixel would get it otherwise."""
    texts = json.loads(export_texts(inferencer(), tmp_path, 'cat').read_text())
    assert texts['classes'] == ['cat', 'other']
    assert texts['row_classes'] == [0] + [1] * (len(texts['embeddings']) - 1)


def test_files_are_not_replaced_or_mixed(tmp_path):
    segment = inferencer()
    (tmp_path / 'model.onnx').write_text('mine')
    with pytest.raises(FileExistsError, match=r'model\.onnx'):
        export_model(segment, tmp_path, WORDS)
    (tmp_path / 'model.json').write_text('{"text_encoder": "other"}')
    with pytest.raises(ValueError, match='another text tower'):
        export_texts(segment, tmp_path, WORDS)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['model.json', 'model.onnx']


def test_models_that_cannot_be_exported_are_named(tmp_path, monkeypatch):
    segment = inferencer()
    with pytest.raises(ValueError, match='give texts'):
        export_model(segment, tmp_path)
    with pytest.raises(ValueError, match=r"format='tflite': expected one of onnx, torch-export"):
        export_model(segment, tmp_path, WORDS, 'tflite')
    with pytest.raises(ValueError, match='images of 4x4 pixels'):
        export_model(segment, tmp_path, WORDS, size=(4, 4))
    segment.model.data_preprocessor.input_size = None
    with pytest.raises(ValueError, match=r'keeps the sizes of images.*--size'):
        export_model(segment, tmp_path, WORDS)
    monkeypatch.setattr(onnx_format, '_MAX_BYTES', 1000)
    with pytest.raises(ValueError, match='at most 2 GiB: use the format torch-export'):
        export_model(segment, tmp_path, WORDS, size=SIZE)
    monkeypatch.setattr(onnx_format, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'mmseg_langseg\[onnx\]'):
        export_model(segment, tmp_path, WORDS, size=SIZE)
    assert not list(tmp_path.iterdir())


def test_refinements_that_need_the_classes_are_refused(tmp_path):
    head = dict(type='MaskCLIPHead', templates='single', feature_size=None, prompt_denoising=0.5)
    model = pixelclip_config(type='LanguageSegmentor', decode_head=head)
    segment = LangSegInferencer(Config(dict(model=model)), device='cpu')
    with pytest.raises(ValueError, match=r'prompt_denoising=0\.5 cannot be exported'):
        export_model(segment, tmp_path, WORDS)


def test_a_centered_head_is_refused(tmp_path):
    segment = inferencer()
    segment.model.decode_head.center += 0.1
    with pytest.raises(ValueError, match=r'decode_head\.center cannot be exported'):
        export_model(segment, tmp_path, WORDS)


def test_operators_that_onnx_lacks_are_named(tmp_path, monkeypatch):
    segment = inferencer()
    features = ImageNetwork._features
    monkeypatch.setattr(
        ImageNetwork, '_features', lambda self, x: torch.special.bessel_j0(features(self, x))
    )
    with pytest.raises(ValueError, match=r'bessel_j0.* is not supported\): .*torch-export'):
        export_model(segment, tmp_path, WORDS)
    assert not list(tmp_path.iterdir())


def test_a_wrong_file_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(ModelFormat, 'difference', lambda *args: float('nan'))
    with pytest.raises(ValueError, match='differs from the model by nan'):
        export_model(inferencer(), tmp_path, WORDS)
    assert not list(tmp_path.iterdir())


def test_steps_that_are_not_exported_are_named(tmp_path):
    test = dict(mode='slide', crop_size=(24, 40), stride=(8, 8), threshold=0.1, logit_scale=40.0)
    segment = inferencer(test_cfg=test, **{'data_preprocessor.input_size': None})
    with pytest.warns(LangSegWarning, match=r'image of 40x24\) and no test_cfg\.threshold$'):
        export_model(segment, tmp_path, WORDS)
    info = json.loads((tmp_path / 'model.json').read_text())
    assert info['input_size'] == [24, 40] and info['logit_scale'] == 40
