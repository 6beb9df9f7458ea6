"""Binary cross-entropy over covered pixels against loops, on one and two processes."""

import math

import pytest
import torch

from mmseg_langseg.models.losses import CoveredPixelBCELoss, covered_pixel_bce
from tests.distributed import run_processes


def _data(batch=4):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(batch, 3, 4, 5, generator=generator)
    targets = (torch.rand(batch, 3, 4, 5, generator=generator) > 0.7).float()
    return logits, targets, targets.amax(1) > 0


def reference(logits, targets, covered):
    terms = []
    for b in range(logits.shape[0]):
        for y in range(logits.shape[2]):
            for x in range(logits.shape[3]):
                if covered[b, y, x]:
                    for k in range(logits.shape[1]):
                        p = 1 / (1 + math.exp(-float(logits[b, k, y, x])))
                        t = float(targets[b, k, y, x])
                        terms.append(-(t * math.log(p) + (1 - t) * math.log(1 - p)))
    return sum(terms) / len(terms)


def test_slow_reference():
    logits, targets, covered = _data()
    assert covered.any() and not covered.all()
    loss = CoveredPixelBCELoss(loss_weight=2.0)(logits, targets, covered)
    assert float(loss) == pytest.approx(2 * reference(logits, targets, covered), rel=1e-5)


def test_nothing_covered_gives_zero_and_zero_gradients():
    logits, targets, covered = _data()
    logits.requires_grad_()
    loss = covered_pixel_bce(logits, targets * 0, covered & False)
    loss.backward()
    assert float(loss) == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_half_precision_logits_are_scored_in_float32():
    logits, targets, covered = _data()
    loss = covered_pixel_bce((logits * 100).half(), targets, covered)
    assert loss.dtype == torch.float32 and torch.isfinite(loss)


def _shard(rank):
    logits, targets, covered = _data()
    part = slice(0, 1) if rank == 0 else slice(1, 4)  # unequal shards, unequal coverage
    logits = logits[part].requires_grad_()
    loss = covered_pixel_bce(logits, targets[part], covered[part])
    loss.backward()
    return loss.detach(), logits.grad


def test_two_processes_equal_one():
    logits, targets, covered = _data()
    logits.requires_grad_()
    loss = covered_pixel_bce(logits, targets, covered)
    loss.backward()
    (loss0, grad0), (loss1, grad1) = run_processes(_shard, 2)
    torch.testing.assert_close(loss0, loss.detach())
    torch.testing.assert_close(loss1, loss.detach())
    # DDP averages: half of each process's gradient is its share of the global batch's.
    torch.testing.assert_close(torch.cat([grad0, grad1]) / 2, logits.grad)
