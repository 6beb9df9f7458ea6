"""Synonyms and filler words of the bundled synthetic dataset."""

import numpy as np
import open_clip
import pytest
from mmengine.config import Config

from mmseg_langseg.models.clip_loader import ASSETS
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene
from mmseg_langseg.synthetic.words import FILLERS, SYNONYMS, reword
from tests.configs import ROOT

WORDS = [word for words in SYNONYMS.values() for word in words] + list(FILLERS)


def test_each_word_is_one_token_and_none_is_a_class():
    tokenizer = open_clip.SimpleTokenizer()
    assert [word for word in WORDS if len(tokenizer.encode(word)) != 1] == []
    assert tuple(SYNONYMS) == CLASSES
    assert len(set(WORDS)) == len(WORDS) and not set(WORDS) & set(CLASSES)


def test_reword_says_the_same_without_the_names():
    rng = np.random.default_rng(0)
    for index in range(50):
        caption = render_scene('clip', index).caption
        names = [word.strip('.,') for word in caption.split() if word.strip('.,') in CLASSES]
        assert names, caption
        said = {word.strip('.,') for word in reword(caption, rng).split()}
        assert not said & set(CLASSES)
        for name in names:
            assert said & set(SYNONYMS[name])


def test_the_config_draws_from_the_learned_words():
    cfg = Config.fromfile(ROOT / 'pixelclip/resnet_synthetic.py')
    assert cfg.model.decode_head.prompts.words == WORDS


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_the_bundled_clips_have_learned_the_synonyms(seed):
    """A synonym's text embedding is closest to that of its own class name."""
    import torch

    from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder

    cfg = Config.fromfile(ROOT / 'pixelclip/resnet_synthetic.py').clip
    assert (ASSETS / f'clip_resnet_tiny_seed{seed}.pth').is_file()
    encoder = OpenCLIPTextEncoder(cfg.arch, f'embedded:clip_resnet_tiny_seed{seed}')
    template = 'a photo of a {} in the scene'
    names = encoder.encode_texts([template.format(name) for name in CLASSES])
    pairs = [(word, k) for k, words in enumerate(SYNONYMS.values()) for word in words]
    said = encoder.encode_texts([template.format(word) for word, _ in pairs])
    right = (said @ names.T).argmax(1) == torch.tensor([k for _, k in pairs])
    assert right.float().mean() > 0.9, right.float().mean()
