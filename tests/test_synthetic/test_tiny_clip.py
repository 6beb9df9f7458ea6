"""The bundled tiny CLIP models."""

import pytest
import torch
from open_clip import get_tokenizer

from mmseg_langseg.models import load_clip
from mmseg_langseg.models.clip_loader import ASSETS
from tests.configs import load
from tests.tiny import CONV

ARCH = dict(CONV, embed_dim=64, text_cfg=dict(CONV['text_cfg'], width=64, heads=4, layers=2))
VIT = load('maskclip/vit_synthetic.py').clip


@pytest.mark.parametrize(
    ('arch', 'weights', 'share'),
    [(ARCH, f'embedded:clip_resnet_tiny_seed{seed}', 0.6) for seed in (0, 1, 2)]
    + [(VIT.arch, VIT.pretrained, 0.5)],
)
def test_it_knows_a_shape(arch, weights, share):
    """Zero-shot classification recognizes the object of single-object scenes."""
    import numpy as np

    from mmseg_langseg.synthetic.renderer import CLASSES, render_scene

    clip = load_clip(arch, weights)
    mean = torch.tensor([122.7709383, 116.7460125, 104.09373615])[:, None, None]
    std = torch.tensor([68.5005327, 66.6321579, 70.3231630])[:, None, None]
    images, labels = [], []
    for index in range(400):
        scene = render_scene('tune', index)
        objects = [k for k in np.unique(scene.labels) if k < 12]
        if len(objects) == 1:
            images.append((torch.tensor(scene.image).permute(2, 0, 1) - mean) / std)
            labels.append(objects[0])
    words = get_tokenizer('ViT-B-32')(
        [f'a photo of a {name} in the scene' for name in CLASSES[:12]]
    )
    with torch.no_grad():
        image = clip.encode_image(torch.stack(images).float(), normalize=True)
        text = clip.encode_text(words, normalize=True)
    right = ((image @ text.T).argmax(1) == torch.tensor(labels)).float().mean()
    assert right > share, right  # 1/12 by chance


def test_size_and_missing_name():
    files = list(ASSETS.glob('*.pth'))
    assert files and sum(file.stat().st_size for file in files) < 5 * 2**20
    with pytest.raises(FileNotFoundError, match=r'embedded:nothing.*clip_resnet_tiny_seed0'):
        load_clip(ARCH, 'embedded:nothing')


def test_the_vision_transformer_has_the_text_tower_of_the_resnet():
    ours, theirs = (
        torch.load(ASSETS / f'clip_{tower}_tiny_seed0.pth', weights_only=True)
        for tower in ('vit', 'resnet')
    )
    text = {k: v for k, v in theirs['state_dict'].items() if not k.startswith('visual.')}
    assert text and all(torch.equal(ours['state_dict'][name], text[name]) for name in text)
    assert ours['token_embedding'].keys() == theirs['token_embedding'].keys()
    for name, value in theirs['token_embedding'].items():
        assert torch.equal(torch.as_tensor(ours['token_embedding'][name]), torch.as_tensor(value))
