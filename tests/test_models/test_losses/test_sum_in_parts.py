"""Sums in parts against the whole batch: values, gradients, memory, float16."""

import pytest
import torch
from torch import nn

from mmseg_langseg.models.losses import sum_in_parts


def _case(rows=7):
    torch.manual_seed(0)
    layer = nn.Linear(5, 3).double()
    layer.bias.requires_grad_(False)
    return layer, torch.randn(rows, 5, dtype=torch.float64, requires_grad=True)


def _loss(layer, offsets=None):
    def function(rows, part):
        value = layer(rows).sin().square()
        return value.sum() if offsets is None else (value * offsets[part, None]).sum()

    return function


@pytest.mark.parametrize('size', [1, 3, 7, 20])
def test_value_and_gradients_are_those_of_the_whole(size):
    layer, rows = _case()
    offsets = torch.arange(7.0).double()
    inputs = (rows, layer.weight)
    whole = 3 * _loss(layer, offsets)(rows, slice(0, 7))
    expected = torch.autograd.grad(whole, inputs)
    total = 3 * sum_in_parts(_loss(layer, offsets), rows, list(layer.parameters()), size)
    torch.testing.assert_close(total, whole)
    torch.testing.assert_close(torch.autograd.grad(total, inputs), expected)


def test_frozen_tensors_get_no_gradient():
    layer, rows = _case()
    sum_in_parts(_loss(layer), rows.detach(), list(layer.parameters()), 2).backward()
    assert layer.weight.grad is not None and layer.bias.grad is None


def test_without_rows_every_parameter_gets_a_zero_gradient():
    layer, rows = _case(0)
    total = sum_in_parts(_loss(layer), rows, list(layer.parameters()), 2)
    total.backward()
    assert float(total.detach()) == 0
    assert torch.equal(layer.weight.grad, torch.zeros_like(layer.weight))
    assert rows.grad.shape == rows.shape


def test_two_backward_passes_give_the_same():
    layer, rows = _case()
    total = sum_in_parts(_loss(layer), rows, list(layer.parameters()), 2)
    total.backward(retain_graph=True)
    first = rows.grad.clone()
    total.backward()
    torch.testing.assert_close(rows.grad, 2 * first)


def test_without_gradients_it_only_sums():
    layer, rows = _case()
    with torch.no_grad():
        total = sum_in_parts(_loss(layer), rows, list(layer.parameters()), 2)
    assert not total.requires_grad
    torch.testing.assert_close(total, _loss(layer)(rows, slice(0, 7)).detach())


def test_only_the_activations_of_one_part_are_kept():
    layer, rows = _case(8)
    most = {}

    def function(some, part):
        for _ in range(30):
            some = some.sin()
        return layer(some).sum()

    for size in (2, 8):
        with torch.autograd.graph.saved_tensors_hooks(_Kept, lambda kept: kept.tensor):
            sum_in_parts(function, rows, list(layer.parameters()), size)
        most[size], _Kept.most = _Kept.most, 0
    assert 0 < most[2] <= most[8] / 3


class _Kept:
    """Counts the elements that are kept for the backward pass."""

    now = most = 0

    def __init__(self, tensor):
        self.tensor = tensor
        _Kept.now += tensor.numel()
        _Kept.most = max(_Kept.most, _Kept.now)

    def __del__(self):
        _Kept.now -= self.tensor.numel()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_under_autocast_gradients_are_scaled_before_they_are_rounded(dtype):
    """With float16, gradients below 6e-8 vanish unless the scale reaches the backward pass."""
    layer = nn.Linear(4, 4)
    rows = torch.randn(6, 4, requires_grad=True)
    with torch.autocast('cpu', dtype):
        total = sum_in_parts(
            lambda some, part: 1e-8 * layer(some).float().sum(), rows, list(layer.parameters()), 4
        )
    (total * 2**20).backward()
    expected = 2**20 * 1e-8 * layer.weight.detach().sum(0)
    torch.testing.assert_close(rows.grad, expected.expand_as(rows), rtol=0.02, atol=1e-4)
