"""The clusterer protocol on one and two processes."""

import math

import pytest
import torch

from mmseg_langseg.models.clusterers import ArgmaxClusterer, SinkhornClusterer, sinkhorn
from tests.distributed import run_processes


def _data(seed=0, num=20, clusters=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, 8, generator=generator), torch.randn(clusters, 8, generator=generator)


def test_sinkhorn_clusterer_is_sinkhorn_on_scaled_cosines():
    features, prototypes = _data()
    cosine = torch.stack([torch.cosine_similarity(row[None], prototypes) for row in features])
    expected = sinkhorn(cosine * 7, 4).argmax(1)
    clusterer = SinkhornClusterer(5, scale=7, iterations=4)
    assert torch.equal(clusterer.assign(features, prototypes), expected)


def test_sinkhorn_uses_clusters_that_argmax_leaves_dead():
    features, prototypes = _data(num=64)
    features = features * 0.1 + prototypes[0]  # all masks look like cluster 0
    argmax = ArgmaxClusterer(5).assign(features, prototypes)
    balanced = SinkhornClusterer(5, scale=1).assign(features, prototypes)
    assert len(argmax.unique()) == 1
    assert len(balanced.unique()) == 5


def test_stats():
    clusterer = ArgmaxClusterer(4)
    clusterer.update(torch.tensor([0, 0, 0, 2]))
    stats = clusterer.stats()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(4)
    assert stats['entropy'] == pytest.approx(entropy)
    assert stats == {'entropy': stats['entropy'], 'dead': 0.5, 'largest': 0.75, 'assigned': 4.0}
    clusterer.reset()
    assert clusterer.stats() == {'entropy': 0.0, 'dead': 1.0, 'largest': 0.0, 'assigned': 0.0}


def test_usage_is_in_the_checkpoint():
    clusterer = ArgmaxClusterer(3)
    clusterer.update(torch.tensor([1]))
    other = ArgmaxClusterer(3)
    other.load_state_dict(clusterer.state_dict())
    assert other.usage.tolist() == [0, 1, 0]


@pytest.mark.parametrize('arguments', [dict(num_clusters=0), dict(num_clusters=3, scale=0)])
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match='expected'):
        SinkhornClusterer(**arguments)


def test_fewer_features_than_clusters():
    features, prototypes = _data(num=2, clusters=9)
    assert SinkhornClusterer(9).assign(features, prototypes).shape == (2,)
    assert SinkhornClusterer(9).assign(features[:0], prototypes).shape == (0,)


def _assign_and_update(rank, kind):
    features, prototypes = _data()
    shard = features[:13] if rank == 0 else features[13:]
    clusterer = kind(5, scale=20)
    ids = clusterer.assign(shard, prototypes)
    clusterer.update(ids)
    return ids, clusterer.usage


@pytest.mark.parametrize('kind', [SinkhornClusterer, ArgmaxClusterer])
def test_two_processes_equal_one(kind):
    features, prototypes = _data()
    one = kind(5, scale=20)
    ids = one.assign(features, prototypes)
    one.update(ids)
    (ids0, usage0), (ids1, usage1) = run_processes(_assign_and_update, 2, kind)
    assert torch.equal(torch.cat([ids0, ids1]), ids)
    assert torch.equal(usage0, one.usage) and torch.equal(usage1, one.usage)
