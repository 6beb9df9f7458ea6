"""CLIP-S⁴ training head on degenerate inputs: few or no valid pixels, segments or targets."""

import pytest
import torch

from tests.test_models.test_decode_heads.clips4_heads import (
    KNOWN,
    LOSSES,
    batch,
    clips4_head,
    mean_direction,
    members_of,
)


def one_view_only(regions):
    regions.copy_(torch.arange(4).view(4, 1, 1).expand_as(regions))


def empty_view(regions):
    regions[1] = -1


def nothing(regions):
    regions.fill_(-1)


def one_pixel(regions):
    regions.fill_(0)
    regions[0, 1, 2] = 2


def single_valid_pixel(regions):
    regions.fill_(-1)
    regions[3, 0, 0] = 7


@pytest.mark.parametrize('grid', [(1, 1), (4, 4)])
@pytest.mark.parametrize('known', [KNOWN, (), ['cat']])
@pytest.mark.parametrize('clusters', [4, 1, None])
@pytest.mark.parametrize(
    'change', [one_view_only, empty_view, nothing, one_pixel, single_valid_pixel]
)
def test_degenerate_regions(heads, change, known, clusters, grid):
    if not known and clusters is None:
        return
    head = heads(tuple(known), clusters)
    head.grid = grid
    embeddings, clip, regions, index = batch()
    change(regions)
    result = head.loss(embeddings, clip * (regions >= 0)[:, None], regions, index)
    assert all(torch.isfinite(value).all() for value in result.values()), result
    (grad,) = torch.autograd.grad(sum(result[name] for name in LOSSES), embeddings)
    assert torch.isfinite(grad).all()
    assert not grad.permute(0, 2, 3, 1)[regions < 0].any()
    if change is nothing:
        assert all(float(value.detach()) == 0 for value in result.values())
    elif change is not single_valid_pixel:
        assert float(result['loss_contrast'].detach()) > 0


@pytest.fixture(scope='module')
def heads():
    """Heads cached by known names and number of prototypes: text towers are slow to build."""
    built = {}

    def get(known, clusters):
        if (known, clusters) not in built:
            clusterer = clusters and dict(type='UnknownPrototypes', num_clusters=clusters)
            built[known, clusters] = clips4_head(known=known, clusterer=clusterer)
        return built[known, clusters]

    return get


@pytest.mark.parametrize(('threshold', 'share'), [(0.0, 0.0), (1.0, 1.0)])
def test_all_targets_known_and_all_unknown(threshold, share):
    head = clips4_head(loss_semantic=dict(type='SemanticConsistencyLoss', threshold=threshold))
    embeddings, clip, regions, index = batch()
    result = head.loss(embeddings, clip, regions, index)
    assert float(result['unknown_share']) == share
    kind = 'unknown' if share == 0 else 'known'
    assert float(result[f'cosine_{kind}']) == 0
    assert float(result['loss_semantic'].detach()) > 0
    assert (len(head.last_assignment) > 0) == (share == 1)
    head.clusterer.update(head.last_assignment, head.last_features)


def test_no_known_names():
    head = clips4_head(known=())
    embeddings, clip, regions, index = batch()
    result = head.loss(embeddings, clip, regions, index)
    assert float(result['unknown_share']) == 1 and float(result['cosine_known']) == 0
    theirs = torch.stack([mean_direction(clip, m) for m in members_of(clip, regions, (1, 1))])
    nearest = (theirs @ head.clusterer.prototypes.T).argmax(1)
    assert torch.equal(head.last_assignment, nearest)
