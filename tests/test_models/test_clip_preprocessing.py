"""Mean and standard deviation come from the image-text model."""

import json
import warnings

import pytest
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_langseg.models import clip_loader
from mmseg_langseg.models.clip_preprocessing import clip_preprocessing
from mmseg_langseg.models.segmentors.language_segmentor import _normalized_for
from tests.tiny import VIT, pixelclip_config

CLIP = (122.7709383, 116.7460125, 104.09373615)


def test_preprocessing_of_models(tmp_path):
    half = (127.5,) * 3
    assert clip_preprocessing('ViT-B-16-SigLIP2', 'webli').mean == half
    assert clip_preprocessing('ViT-B-16-SigLIP2', 'weights.pt').std == half  # a local file
    assert clip_preprocessing('ViT-B-16-SigLIP2').resize_mode == 'squash'
    assert clip_preprocessing('ViT-B-16-quickgelu', 'openai').mean == pytest.approx(CLIP)
    assert clip_preprocessing('MobileCLIP2-S2', 'dfndr2b').mean == (0, 0, 0)
    assert clip_preprocessing('ViT-L-14-CLIPA', 'datacomp1b').interpolation == 'bilinear'
    assert clip_preprocessing(VIT).mean == pytest.approx(CLIP)
    config = dict(model_cfg=VIT, preprocess_cfg=dict(mean=[0.1, 0.2, 0.4]))
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(config))
    assert clip_preprocessing(str(tmp_path)).mean == pytest.approx((25.5, 51, 102))
    clip_loader.load_clip(str(tmp_path))  # the same file has the architecture


def test_a_config_without_mean_and_std_gets_those_of_the_model():
    config = dict(type='CLIPDataPreProcessor', input_size=(32, 32))
    filled = _normalized_for(dict(arch='ViT-B-16-SigLIP2', pretrained='webli'), config)
    assert filled == dict(config, mean=(127.5,) * 3, std=(127.5,) * 3)
    given = dict(config, mean=[1, 2, 3], std=[100, 100, 100])
    assert _normalized_for(dict(arch='ViT-B-16-SigLIP2'), given) == given
    for clip, other in (
        (None, config),
        (dict(arch=VIT), config),
        (dict(arch='RN50'), dict(type='x')),
    ):
        assert _normalized_for(clip, other) == other
    model = MODELS.build(ConfigDict(pixelclip_config()))
    assert model.data_preprocessor.mean.flatten().tolist() == pytest.approx(CLIP)


def test_the_values_of_another_model_warn():
    imagenet = dict(type='CLIPDataPreProcessor', mean=[123.675, 116.28, 103.53])
    imagenet['std'] = [58.395, 57.12, 57.375]
    with pytest.warns(UserWarning, match=r"std=\[58.395.*'ViT-B-16-SigLIP2'.*\[127.5"):
        _normalized_for(dict(arch='ViT-B-16-SigLIP2'), imagenet)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        _normalized_for(dict(arch='ViT-B-16-quickgelu'), imagenet)  # MaskCLIP's choice
