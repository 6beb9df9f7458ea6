"""Spherical k-means against loops and on cases with a known result."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.kmeans import seed_centroids, spherical_kmeans


def reference(points, init, iterations, valid):
    """Cluster one set, with points as lists."""
    points = [p / p.norm() for p in points]
    centroids = [c / c.norm() if c.norm() > 0 else None for c in init]
    for _ in range(iterations):
        ids = []
        for p, counts in zip(points, valid.tolist(), strict=True):
            cosines = [-2.0 if c is None else float(p @ c) for c in centroids]
            ids.append(cosines.index(max(cosines)) if counts else -1)
        for k in range(len(centroids)):
            mine = [p for p, i in zip(points, ids, strict=True) if i == k]
            if mine:
                centroids[k] = sum(mine) / sum(mine).norm()
    zero = torch.zeros_like(points[0])
    return ids, torch.stack([zero if c is None else c for c in centroids])


@pytest.mark.parametrize('iterations', [1, 2, 6])
def test_slow_reference_on_each_set(iterations):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(3, 40, 4, generator=generator)
    init = torch.randn(3, 5, 4, generator=generator)
    init[1, 2] = 0  # takes no points
    valid = torch.rand(3, 40, generator=generator) > 0.3
    ids, centroids = spherical_kmeans(points, init, iterations, valid)
    assert not (ids[1] == 2).any()
    for n in range(3):
        wanted, at = reference(points[n], init[n], iterations, valid[n])
        assert ids[n].tolist() == wanted
        torch.testing.assert_close(centroids[n], at)


def test_bundles_of_directions_are_found_from_seeds():
    generator = torch.Generator().manual_seed(1)
    axes = torch.eye(4).repeat_interleave(25, 0)
    length = torch.rand(100, 1, generator=generator) * 9 + 1  # lengths must not matter
    points = length * (axes + 0.05 * torch.randn(100, 4, generator=generator))
    points = torch.stack([points, points.flip(0)])
    for seed in range(5):
        ids, centroids = spherical_kmeans(points, seed_centroids(points, 4, seed))
        for found in ids:
            groups = found.view(4, 25)
            assert (groups == groups[:, :1]).all()
            assert len(set(groups[:, 0].tolist())) == 4
        torch.testing.assert_close(centroids.norm(dim=2), torch.ones(2, 4))


def test_empty_cluster_keeps_its_centroid():
    points = torch.tensor([[[1.0, 0.0], [1.0, 0.1]]])
    init = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    ids, centroids = spherical_kmeans(points, init)
    assert ids.tolist() == [[0, 0]]
    assert centroids[0, 1].tolist() == [-1, 0]


def test_one_cluster_and_a_set_without_valid_points():
    points = torch.randn(2, 6, 3)
    valid = torch.tensor([[True] * 6, [False] * 6])
    init = seed_centroids(points, 1, 0, valid)
    assert not init[1].any()
    ids, centroids = spherical_kmeans(points, init, valid=valid)
    assert ids.tolist() == [[0] * 6, [-1] * 6]
    expected = F.normalize(F.normalize(points[0], dim=1).sum(0), dim=0)
    torch.testing.assert_close(centroids[0, 0], expected)
    assert torch.isfinite(centroids).all()


def test_seeds_are_distinct_valid_points_and_leave_the_random_state():
    points = F.normalize(torch.randn(4, 30, 8), dim=2)
    valid = torch.rand(4, 30) > 0.5
    valid[:, :6] = True
    before = torch.get_rng_state()
    first = seed_centroids(points, 6, 7, valid)
    assert torch.equal(before, torch.get_rng_state())
    for n in range(4):
        cosines = first[n] @ points[n, valid[n]].T
        assert (cosines.max(1).values > 1 - 1e-5).all()
        assert len(set(cosines.argmax(1).tolist())) == 6
    assert torch.equal(first, seed_centroids(points, 6, 7, valid))
    assert not torch.equal(first, seed_centroids(points, 6, 8, valid))
    torch.testing.assert_close(first[2:3], seed_centroids(points[2:3], 6, 7, valid[2:3]))


def reference_seeds(points, number, seed, valid):
    """Return the indices of the seeds of one set."""
    draws = torch.rand(number, generator=torch.Generator().manual_seed(seed)).tolist()
    places = []
    for draw in draws:
        masses = [
            min((1 - float(p @ points[c]) for c in places), default=1.0) if counts else 0.0
            for p, counts in zip(points, valid.tolist(), strict=True)
        ]
        place, passed = 0, masses[0]
        while passed <= draw * sum(masses):
            place += 1
            passed += masses[place]
        places.append(place)
    return places


def test_seeds_against_a_slow_reference():
    points = F.normalize(torch.randn(3, 25, 4, generator=torch.Generator().manual_seed(9)), dim=2)
    valid = torch.arange(75).view(3, 25) % 4 > 0
    for seed in range(4):
        found = seed_centroids(points, 5, seed, valid)
        for n in range(3):
            wanted = points[n, reference_seeds(points[n], 5, seed, valid[n])]
            torch.testing.assert_close(found[n], wanted)


def test_seeds_follow_the_distance():
    # The two bundles differ greatly in size; k-means++ still takes one seed from each.
    points = torch.cat([torch.tensor([[1.0, 0]]).expand(99, 2), torch.tensor([[0.0, 1]])])[None]
    for seed in range(10):
        assert seed_centroids(points, 2, seed)[0].sum(0).tolist() == [1, 1]


def test_fewer_valid_points_than_clusters_repeat_some():
    points = torch.eye(5)[None]
    valid = torch.tensor([[True, True, False, False, False]])
    seeds = seed_centroids(points, 4, 0, valid)
    assert not seeds[..., 2:].any() and seeds.norm(dim=2).tolist() == [[1] * 4]


def test_half_precision_is_clustered_in_float32():
    points = torch.randn(1, 20, 4).half()
    init = seed_centroids(points, 3, 0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        ids, centroids = spherical_kmeans(points, init)
        assert torch.equal(init, seed_centroids(points, 3, 0))
    assert init.dtype == centroids.dtype == torch.float32
    assert ids.tolist() == spherical_kmeans(points.float(), init)[0].tolist()


def test_bad_numbers_name_the_value():
    points = torch.randn(1, 5, 3)
    with pytest.raises(ValueError, match='iterations=0'):
        spherical_kmeans(points, points, iterations=0)
    for number in (0, 6):
        with pytest.raises(ValueError, match=f'num_clusters={number} for 5 points'):
            seed_centroids(points, number, 0)
