"""Blocks of open_clip's ViTs, run as trained, against open_clip itself."""

import pytest
import torch
from open_clip.transformer import CustomResidualAttentionBlock, ResidualAttentionBlock

from mmseg_langseg.models.backbones.blocks import OpenCLIPBlock


@pytest.mark.parametrize(
    'block_type, options',
    [
        (ResidualAttentionBlock, {}),
        (ResidualAttentionBlock, dict(ls_init_value=0.3)),
        (CustomResidualAttentionBlock, dict(scale_heads=True)),
    ],
)
def test_value_and_gradients_equal_open_clips(block_type, options):
    torch.manual_seed(0)
    block = block_type(12, 3, batch_first=True, **options).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tokens = torch.randn(2, 7, 12, dtype=torch.float64, requires_grad=True)
    inputs = [tokens, *block.parameters()]
    result, expected = OpenCLIPBlock(block)(tokens), block(tokens)
    torch.testing.assert_close(result, expected)
    weight = torch.randn_like(expected)
    gradients = torch.autograd.grad((result * weight).sum(), inputs)
    torch.testing.assert_close(gradients, torch.autograd.grad((expected * weight).sum(), inputs))
