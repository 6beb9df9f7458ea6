"""Sinkhorn against golden outputs and a slow reference, and on two processes."""

import numpy as np
import pytest
import torch

from mmseg_langseg.models.clusterers import sinkhorn
from tests.distributed import run_processes
from tests.golden import load


def reference(logits, iterations):
    """Alternating normalization with loops over rows and columns."""
    plan = np.exp(logits - logits.max(1, keepdims=True)).astype(np.float64)
    plan /= plan.sum(1, keepdims=True)
    plan /= plan.sum()
    for _ in range(iterations):
        for j in range(plan.shape[1]):
            plan[:, j] /= plan[:, j].sum()
        for i in range(plan.shape[0]):
            plan[i] /= plan[i].sum()
    return plan


@pytest.mark.parametrize('scale', ['x100', 'x10', 'x1'])
@pytest.mark.parametrize('iterations', [1, 3, 10])
def test_golden(scale, iterations):
    golden = load('sinkhorn')
    logits = torch.from_numpy(golden[f'{scale}.logits'])
    plan = sinkhorn(logits, iterations)
    expected = golden[f'{scale}.soft_q_iters{iterations}']
    np.testing.assert_allclose(plan.numpy(), expected, rtol=0, atol=1e-5)


def test_slow_reference():
    logits = torch.randn(23, 7, generator=torch.Generator().manual_seed(1)) * 5
    np.testing.assert_allclose(
        sinkhorn(logits, 3).numpy(), reference(logits.numpy(), 3), rtol=0, atol=1e-6
    )


def test_many_iterations_balance_the_clusters():
    logits = torch.randn(24, 6, generator=torch.Generator().manual_seed(2))
    mass = sinkhorn(logits, 200).sum(0)
    torch.testing.assert_close(mass, torch.full((6,), 4.0), rtol=1e-3, atol=1e-3)


def test_underflow_stays_finite():
    logits = torch.tensor([[0.0, -300.0], [0.0, -400.0]])
    assert torch.isfinite(sinkhorn(logits)).all()


def test_no_sample():
    assert sinkhorn(torch.zeros(0, 5)).shape == (0, 5)


def _rank(rank, scale):
    logits = torch.from_numpy(load('sinkhorn')[f'{scale}.rank{rank}.logits'])
    return sinkhorn(logits).numpy()


@pytest.mark.parametrize('scale', ['x100', 'x10'])
def test_two_processes(scale):
    golden = load('sinkhorn')
    results = run_processes(_rank, 2, scale)
    for rank, result in enumerate(results):
        np.testing.assert_allclose(result, golden[f'{scale}.rank{rank}.soft_q'], rtol=0, atol=1e-5)


def _half_empty(rank):
    logits = torch.from_numpy(load('sinkhorn')['x10.logits'])
    return sinkhorn(logits if rank == 0 else logits[:0]).numpy()


def test_a_process_without_masks_changes_nothing():
    golden = load('sinkhorn')
    full, empty = run_processes(_half_empty, 2)
    np.testing.assert_allclose(full, golden['x10.soft_q_iters3'], rtol=0, atol=1e-5)
    assert empty.shape == (0, 8)
