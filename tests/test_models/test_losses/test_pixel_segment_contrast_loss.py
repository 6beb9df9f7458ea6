"""Pixel-to-segment contrastive loss: against a double loop, special cases, two processes."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.losses import (
    PixelSegmentContrastLoss,
    gather_rows,
    pixel_segment_contrast,
)
from tests.distributed import run_processes

# Two images: regions 0 and 1 have several segments, 2 has one; 3 belongs to the second image.
LABELS = torch.tensor([0, 0, 1, 1, 0, 2, 3, 3])


def _data(pixels=30):
    generator = torch.Generator().manual_seed(1)
    z = F.normalize(torch.randn(pixels, 6, generator=generator), dim=1)
    v = F.normalize(torch.randn(len(LABELS), 6, generator=generator), dim=1)
    own = torch.randint(len(LABELS), (pixels,), generator=generator)
    return z, own, v, LABELS


def reference(z, own, v, labels, kappa, exclude_self):
    losses = []
    for p in range(len(z)):
        numerator, negatives = [], []
        for s in range(len(v)):
            term = math.exp(kappa * float(z[p] @ v[s]))
            if labels[s] != labels[own[p]]:
                negatives.append(term)
            elif not (exclude_self and s == own[p]):
                numerator.append(term)
        if not numerator:
            numerator = [math.exp(kappa * float(z[p] @ v[own[p]]))]
        losses.append(-math.log(sum(numerator) / (sum(numerator) + sum(negatives))))
    return sum(losses) / len(losses)


@pytest.mark.parametrize('exclude_self', [True, False])
@pytest.mark.parametrize('kappa', [1.0, 16.0])
def test_slow_reference(kappa, exclude_self):
    data = _data()
    loss = PixelSegmentContrastLoss(kappa, exclude_self, chunk=7 * len(data[2]), loss_weight=2.0)(
        *data
    )
    assert float(loss) == pytest.approx(2 * reference(*data, kappa, exclude_self), rel=1e-5)


def test_chunks_change_neither_value_nor_gradient():
    results = []
    for chunk in (1, 7, 30, 1000):
        z, own, v, labels = _data()
        z.requires_grad_(), v.requires_grad_()
        loss = pixel_segment_contrast(z, own, v, labels, chunk=chunk * len(v))
        results.append((loss.detach(), *torch.autograd.grad(loss, (z, v))))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


def test_no_similarity_waits_for_the_backward_pass():
    z, own, v, labels = _data()
    z.requires_grad_(), v.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.shape) or x, lambda x: x):
        pixel_segment_contrast(z, own, v, labels, chunk=7 * len(v))
    assert kept and all(shape not in ((7, len(v)), (2, len(v))) for shape in kept)


def formula(z, own, v, labels, kappa, exclude_self):
    """The loss without chunks, whose gradients autograd finds."""
    logits = kappa * F.normalize(z, dim=1) @ F.normalize(v, dim=1).T
    same = labels[own][:, None] == labels
    if exclude_self:
        dropped = F.one_hot(own, len(v)).bool() & (same.sum(1, keepdim=True) > 1)
        logits, same = logits.masked_fill(dropped, -torch.inf), same & ~dropped
    return (logits.logsumexp(1) - logits.masked_fill(~same, -torch.inf).logsumexp(1)).mean()


@pytest.mark.parametrize('exclude_self', [True, False])
@pytest.mark.parametrize('kappa', [1.0, 16.0, 100.0, 1000.0])
def test_gradients_are_those_of_the_formula(kappa, exclude_self):
    z, own, v, labels = (x.double() if x.is_floating_point() else x for x in _data())
    # Neither is of norm 1, and a pixel is zero.
    z, v = 3 * z, v / 2
    z[0] = 0
    z.requires_grad_(), v.requires_grad_()
    expected = formula(z, own, v, labels, kappa, exclude_self)
    grads = torch.autograd.grad(expected, (z, v))
    loss = pixel_segment_contrast(z, own, v, labels, kappa, exclude_self, chunk=7 * len(v))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
    for found, wanted in zip(torch.autograd.grad(loss, (z, v)), grads, strict=True):
        scale = wanted.abs().amax(1, keepdim=True).clamp_min(1e-3)
        torch.testing.assert_close(found / scale, wanted / scale, rtol=0, atol=1e-6 * (9 + kappa))


def test_gradients_only_where_needed_and_again():
    z, own, v, labels = _data()
    z.requires_grad_(), v.requires_grad_()
    loss = pixel_segment_contrast(z, own, v, labels)
    both = torch.autograd.grad(loss, (z, v), retain_graph=True)
    for found, wanted in zip(torch.autograd.grad(65536 * loss, (z, v)), both, strict=True):
        torch.testing.assert_close(found, 65536 * wanted)
    (of_z,) = torch.autograd.grad(pixel_segment_contrast(z, own, v.detach(), labels), z)
    (of_v,) = torch.autograd.grad(pixel_segment_contrast(z.detach(), own, v, labels), v)
    torch.testing.assert_close((of_z, of_v), both, rtol=0, atol=0)
    with torch.no_grad():
        value = pixel_segment_contrast(z, own, v, labels)
    assert value == loss and not value.requires_grad


@pytest.mark.parametrize('exclude_self', [True, False])
def test_only_positives_give_zero(exclude_self):
    z, own, v, labels = _data()
    z.requires_grad_(), v.requires_grad_()
    loss = pixel_segment_contrast(z, own, v, labels * 0, exclude_self=exclude_self)
    assert float(loss.detach()) == 0
    for grad in torch.autograd.grad(loss, (z, v)):
        assert torch.equal(grad, torch.zeros_like(grad))


def test_region_in_one_segment_falls_back_to_its_own_segment():
    z, _, v, _ = _data(1)
    own, labels = torch.tensor([5]), torch.arange(8)
    exclude = pixel_segment_contrast(z, own, v, labels)
    torch.testing.assert_close(exclude, pixel_segment_contrast(z, own, v, labels, 16.0, False))
    assert float(exclude) > 0


def test_own_segment_has_no_influence_where_another_positive_exists():
    z, _, v, labels = _data(1)
    own = torch.tensor([0])
    v.requires_grad_()
    (grad,) = torch.autograd.grad(pixel_segment_contrast(z, own, v, labels), v)
    assert not grad[0].any() and grad[1].any() and grad[6].any()


def test_segment_of_one_pixel_that_equals_it_is_finite():
    z, _, v, labels = _data(1)
    v = torch.cat([z, v[1:]]).requires_grad_()
    for exclude_self in (True, False):
        own = torch.tensor([0])
        loss = pixel_segment_contrast(z, own, v, labels, 100.0, exclude_self)
        (grad,) = torch.autograd.grad(loss, v)
        assert torch.isfinite(loss) and torch.isfinite(grad).all()


@pytest.mark.parametrize('segments', [0, 3])
def test_no_pixel_gives_zero_and_zero_gradients(segments):
    z = torch.zeros(0, 6, requires_grad=True)
    v = torch.randn(segments, 6, requires_grad=True)
    own = torch.zeros(0, dtype=torch.long)
    loss = pixel_segment_contrast(z, own, v, torch.arange(segments))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(v.grad, torch.zeros_like(v))


def test_half_precision_is_scored_in_float32():
    z, own, v, labels = _data()
    z, v = z.half().requires_grad_(), v.half().requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = pixel_segment_contrast(z, own, v, labels, kappa=30.0)
    expected = reference(
        F.normalize(z.detach().float(), dim=1),
        own,
        F.normalize(v.detach().float(), dim=1),
        labels,
        30.0,
        True,
    )
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert torch.isfinite(z.grad).all() and torch.isfinite(v.grad).all()


@pytest.mark.parametrize('settings', [{'kappa': 0}, {'chunk': 0}])
def test_bad_settings_name_the_value(settings):
    with pytest.raises(ValueError, match=f'{next(iter(settings))}=0'):
        PixelSegmentContrastLoss(**settings)


def _split(rank, empty):
    """Image one (segments 0 to 5) on process 0; image two, or nothing, on process 1."""
    z, own, v, labels = _data()
    first = own < 6
    if rank == 0:
        return z[first], own[first], v[:6], labels[:6]
    if empty:
        return z[:0], own[:0], v[:0], labels[:0]
    # Each process numbers its regions from 0.
    return z[~first], own[~first] - 6, v[6:], labels[6:] - 3


def _value_and_gradients(z, own, v, labels):
    z, v = z.clone().requires_grad_(), v.clone().requires_grad_()
    loss = pixel_segment_contrast(z, own, v, labels, chunk=5)
    return loss.detach(), *torch.autograd.grad(loss, (z, v))


def _shard(rank):
    nothing, start = gather_rows(torch.zeros(0, 4, requires_grad=True))
    nothing.sum().backward()
    assert nothing.shape == (0, 4) and start == 0
    return [_value_and_gradients(*_split(rank, empty)) for empty in (False, True)]


def test_two_processes_equal_one():
    z, own, v, labels = _data()
    first = own < 6
    sorted_data = torch.cat([z[first], z[~first]]), torch.cat([own[first], own[~first]]), v, labels
    shards = zip(*run_processes(_shard, 2), strict=True)
    for whole, both in zip((sorted_data, _split(0, True)), shards, strict=True):
        loss, *gradients = _value_and_gradients(*whole)
        (loss0, *gradients0), (loss1, *gradients1) = both
        torch.testing.assert_close(loss0, loss)
        torch.testing.assert_close(loss1, loss)
        # DDP averages: half of each process's gradient is its share of the global batch's.
        for part0, part1, wanted in zip(gradients0, gradients1, gradients, strict=True):
            torch.testing.assert_close(torch.cat([part0, part1]) / 2, wanted)
