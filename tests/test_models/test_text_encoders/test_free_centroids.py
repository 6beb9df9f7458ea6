import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS


def build(encoder, **kwargs):
    return MODELS.build({'type': 'FreeCentroids', 'text_encoder': encoder, **kwargs})


def blobs(count, each=40, width=32, noise=0.05):
    generator = torch.Generator().manual_seed(1)
    centers = F.normalize(torch.randn(count, width, generator=generator), dim=1)
    ids = torch.arange(count).repeat_interleave(each)
    points = centers[ids] + noise * torch.randn(len(ids), width, generator=generator)
    lengths = torch.rand(len(ids), 1, generator=generator) * 50 + 0.1
    return centers, points * lengths, ids


def test_kmeans_reaches_a_fixed_point(encoder):
    _, points, _ = blobs(12)
    module = build(encoder, num_clusters=5)
    module.initialize(points)
    centers = module(encoder).detach()
    assert torch.allclose(centers.norm(dim=1), torch.ones(5))
    # slow reference: each center is the normalized mean direction of its closest points
    members = {}
    for point in F.normalize(points, dim=1):
        members.setdefault(int((centers @ point).argmax()), []).append(point)
    assert len(members) == 5
    for index, group in members.items():
        expected = F.normalize(torch.stack(group).mean(0), dim=0)
        assert torch.allclose(centers[index], expected, atol=1e-4)


def test_length_of_features_does_not_matter(encoder):
    centers, points, _ = blobs(6, noise=0.01)
    first, second = build(encoder, num_clusters=6), build(encoder, num_clusters=6)
    first.initialize(points)
    second.initialize(points * torch.linspace(0.1, 9, len(points))[:, None])
    assert torch.allclose(first.centroids, second.centroids, atol=1e-5)
    assert (first(encoder) @ F.normalize(points, dim=1).T).amax(0).mean() > 0.6
    assert centers.shape == first.centroids.shape


def test_deterministic_and_global_state_untouched(encoder):
    _, points, _ = blobs(4)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = build(encoder, num_clusters=3), build(encoder, num_clusters=3)
    first.initialize(points)
    second.initialize(points)
    assert torch.equal(first.centroids, second.centroids)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.parametrize('rows', [0, 1, 3])
def test_fewer_features_than_clusters(encoder, rows):
    module = build(encoder, num_clusters=5)
    start = module.centroids.detach().clone()
    points = F.normalize(torch.randn(rows, 32), dim=1)
    module.initialize(torch.cat([points, points, torch.zeros(2, 32)]))  # duplicates, empty masks
    assert torch.equal(module.centroids[rows:], start[rows:])
    if rows:
        best = (points @ module.centroids[:rows].detach().T).amax(1)
        assert torch.allclose(best, torch.ones(rows), atol=1e-5)


def test_parameters(encoder):
    module = build(encoder, num_clusters=5)
    assert module.num_clusters == 5
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == {'centroids': (5, 32)}
    module(encoder).sum().backward()
    assert (module.centroids.grad == 1).all()
    with pytest.raises(ValueError, match='num_clusters=0'):
        build(encoder, num_clusters=0)
