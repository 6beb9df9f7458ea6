import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2

from mmseg_langseg.kmeans import batched_kmeans


def blobs(batch, num_points, dim, k, seed, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    centers = 4 * torch.randn(batch, k, dim, generator=generator)
    which = torch.randint(k, (batch, num_points), generator=generator)
    noise = spread * torch.randn(batch, num_points, dim, generator=generator)
    return centers.gather(1, which[..., None].expand(-1, -1, dim)) + noise


def test_equals_scipy_from_the_same_start():
    points = blobs(5, 200, 6, 7, seed=0, spread=2.0)
    init = points[:, :7]
    assignment, centroids = batched_kmeans(points, 7, 100, tolerance=0.0, init=init)
    for b in range(5):
        expected, labels = kmeans2(
            points[b].double().numpy(), init[b].double().numpy(), iter=100, minit='matrix'
        )
        assert np.array_equal(assignment[b], labels)
        assert np.allclose(centroids[b], expected, atol=1e-4)


def test_result_of_a_set_does_not_depend_on_its_batch():
    # With a coarse tolerance the sets stop at different iterations, far from their fixed points.
    points = torch.cat([blobs(1, 300, 4, 9, seed=seed, spread=4.0) for seed in range(6)])
    init = points[:, :9]
    assignment, centroids = batched_kmeans(points, 9, tolerance=0.5, init=init)
    for b in range(6):
        alone = batched_kmeans(points[b : b + 1], 9, tolerance=0.5, init=init[b : b + 1])
        assert torch.equal(assignment[b], alone[0][0])
        assert torch.allclose(centroids[b], alone[1][0], atol=1e-5)


def test_starts_at_distinct_points_of_the_set():
    points = torch.randn(4, 9, 2)
    _, centroids = batched_kmeans(points, 9, max_iterations=0)
    for b in range(4):
        assert sorted(centroids[b].tolist()) == sorted(points[b].tolist())


def test_a_cluster_that_loses_its_points_keeps_its_centroid():
    points = torch.tensor([[[0.0], [1.0]]])
    assignment, centroids = batched_kmeans(points, 2, init=torch.tensor([[[0.5], [9.0]]]))
    assert assignment.tolist() == [[0, 0]]
    assert centroids.tolist() == [[[0.5], [9.0]]]


def test_runs_in_float32_under_autocast():
    points = 100 + torch.randn(1, 50, 8)
    init = points[:, :4]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assignment, centroids = batched_kmeans(points, 4, init=init)
    expected, expected_centroids = batched_kmeans(points, 4, init=init)
    assert torch.equal(assignment, expected) and torch.equal(centroids, expected_centroids)


def test_too_few_points_is_an_error():
    with pytest.raises(ValueError, match='5 clusters needs at least as many points, got 4'):
        batched_kmeans(torch.zeros(1, 4, 2), 5)
