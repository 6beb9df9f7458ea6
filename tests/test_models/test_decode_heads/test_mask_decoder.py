"""Mask decoder: size, independence of the maps, parameter names."""

import pytest
import torch

from mmseg_langseg.models.decode_heads import MaskDecoder


def test_parameters_and_scale():
    decoder = MaskDecoder()
    assert sum(p.numel() for p in decoder.parameters()) == 118_145  # as in the official code
    assert decoder(torch.randn(2, 3, 20, 20)).shape == (2, 3, 80, 80)


def test_every_map_is_decoded_on_its_own():
    decoder = MaskDecoder((8, 4))
    maps = torch.randn(2, 3, 5, 4)
    together = decoder(maps)
    for b in range(2):
        for k in range(3):
            alone = decoder(maps[b, k][None, None])[0, 0]
            torch.testing.assert_close(together[b, k], alone, rtol=1e-4, atol=1e-5)


def test_official_parameter_names():
    names = set(MaskDecoder().state_dict())
    assert {'conv0.weight', 'up1.bias', 'conv1.double_conv.0.weight', 'proj.bias'} <= names
    assert {'conv2.double_conv.3.weight', 'conv2.double_conv.4.bias'} <= names


@pytest.mark.parametrize('size', [(5, 4), (1, 1), (2, 7)])
def test_composed_kernels_equal_the_layers(size):
    torch.manual_seed(0)
    decoder = MaskDecoder((16, 8)).double()
    for parameter in decoder.parameters():  # initial biases and gains of normalization are special
        torch.nn.init.normal_(parameter, std=0.5)
    maps = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    inputs = [maps, *decoder.parameters()]
    x = maps.flatten(0, 1)[:, None]
    x = decoder.conv1.double_conv(decoder.up1(decoder.conv0(x)))
    x = decoder.conv2.double_conv(decoder.up2(x))
    expected = decoder.proj(x)[:, 0].unflatten(0, (2, 3))
    weight = torch.randn_like(expected)
    result = decoder(maps)
    torch.testing.assert_close(result, expected)
    gradients = torch.autograd.grad((result * weight).sum(), inputs)
    torch.testing.assert_close(gradients, torch.autograd.grad((expected * weight).sum(), inputs))
    assert torch.equal(decoder(maps, decoder.kernels(*size)), result)
    composed = {'conv0', 'up1', 'conv1.double_conv.0', 'up2', 'conv2.double_conv.0'}
    others = [p for n, p in decoder.named_parameters() if n.rpartition('.')[0] not in composed]
    assert list(map(id, decoder.other_parameters())) == list(map(id, others))
