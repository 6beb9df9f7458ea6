"""QuickGELU against open_clip's, and where it is used."""

import open_clip.transformer
import torch

from mmseg_langseg.models import load_clip
from mmseg_langseg.models.quick_gelu import QuickGELU
from tests.tiny import VIT


def test_value_and_gradient_are_those_of_open_clip():
    x = torch.linspace(-30, 30, 601, dtype=torch.float64, requires_grad=True)
    result, expected = QuickGELU()(x), open_clip.transformer.QuickGELU()(x)
    torch.testing.assert_close(result, expected)
    (gradient,) = torch.autograd.grad(result.sum(), x)
    torch.testing.assert_close(gradient, *torch.autograd.grad(expected.sum(), x))


def test_both_towers_use_it():
    for quick in (True, False):
        clip = load_clip({**VIT, 'quick_gelu': quick})
        for tower in (clip.visual, clip.text):
            found = [module for module in tower.modules() if isinstance(module, QuickGELU)]
            assert len(found) == (len(tower.transformer.resblocks) if quick else 0)
