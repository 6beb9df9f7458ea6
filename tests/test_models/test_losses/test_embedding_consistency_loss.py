"""Embedding consistency loss against a loop, without segments, and on two processes."""

import pytest
import torch

from mmseg_langseg.models.losses import EmbeddingConsistencyLoss, embedding_consistency
from tests.distributed import run_processes


def _data():
    generator = torch.Generator().manual_seed(2)
    v = torch.randn(7, 5, generator=generator)
    u = torch.randn(7, 5, generator=generator)
    u[3] = 0  # no CLIP features for this segment
    return v, u


def reference(v, u):
    terms = []
    for s in range(len(v)):
        if float(u[s].norm()) > 0:
            dot = sum(float(v[s, d]) * float(u[s, d]) for d in range(v.shape[1]))
            terms.append(1 - dot / float(v[s].norm()) / float(u[s].norm()))
    return sum(terms) / len(terms)


def test_slow_reference():
    v, u = _data()
    loss = EmbeddingConsistencyLoss(loss_weight=3.0)(v, u)
    assert float(loss) == pytest.approx(3 * reference(v, u), rel=1e-5)


def test_is_half_the_squared_distance_and_zero_for_equal_directions():
    v, u = (torch.nn.functional.normalize(x[:3], dim=1) for x in _data())
    expected = (v - u).square().sum(1).mean() / 2
    torch.testing.assert_close(embedding_consistency(v, u), expected)
    assert float(embedding_consistency(2 * u, u)) == pytest.approx(0, abs=1e-6)


def test_gradient_goes_to_our_side_only():
    v, u = (x.requires_grad_() for x in (_data()[0], _data()[1]))
    embedding_consistency(v, u).backward()
    assert u.grad is None
    assert not v.grad[3].any()
    assert v.grad[[0, 1, 2, 4, 5, 6]].any(1).all() and torch.isfinite(v.grad).all()


@pytest.mark.parametrize('segments', [0, 4])
def test_nothing_to_compare_gives_zero_and_zero_gradients(segments):
    v = torch.randn(segments, 5, requires_grad=True)
    loss = embedding_consistency(v, torch.zeros(segments, 5))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(v.grad, torch.zeros_like(v))


def test_half_precision_is_scored_in_float32():
    v, u = (x.half() for x in _data())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = embedding_consistency(v, u)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(reference(v.float(), u.float()), rel=1e-5)


def _shard(rank):
    part = slice(0, 2) if rank == 0 else slice(2, 7)
    v, u = (x[part] for x in _data())
    v.requires_grad_()
    loss = embedding_consistency(v, u)
    loss.backward()
    return loss.detach(), v.grad


def test_two_processes_equal_one():
    v, u = _data()
    v.requires_grad_()
    loss = embedding_consistency(v, u)
    loss.backward()
    (loss0, grad0), (loss1, grad1) = run_processes(_shard, 2)
    torch.testing.assert_close(loss0, loss.detach())
    torch.testing.assert_close(loss1, loss.detach())
    torch.testing.assert_close(torch.cat([grad0, grad1]) / 2, v.grad)
