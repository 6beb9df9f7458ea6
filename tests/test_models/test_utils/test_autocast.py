"""Similarities, pooling and clustering are computed in float32 under autocast."""

import pytest
import torch

from mmseg_langseg.models.clusterers import SinkhornClusterer
from mmseg_langseg.models.utils import cosine_map, find_segments, mask_pool
from tests.tiny import pixelclip

FEATURES = torch.randn(2, 12, 6, 6, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
MASKS = torch.rand(40, 50, 50, generator=torch.Generator().manual_seed(2)) > 0.5
INDEX = torch.arange(40) % 2
REGIONS = torch.zeros(2, 6, 6, dtype=torch.long)


def mask_loss():
    """Without clusters, each map is the cosine with a pooled mask."""
    head = pixelclip(prompts=None, clusterer=None).decode_head
    return head._maps_of_masks(FEATURES, MASKS, INDEX)


@pytest.mark.parametrize(
    'compute',
    [
        lambda: cosine_map(FEATURES, ROWS),
        lambda: mask_pool(FEATURES, MASKS, INDEX),
        lambda: SinkhornClusterer(40).logits(ROWS, ROWS),
        lambda: SinkhornClusterer(40).assign(ROWS, ROWS.flip(0)),
        # No iteration: the means of the grid's cells decide.
        lambda: find_segments(FEATURES, REGIONS, (3, 3), 1).ids,
        mask_loss,
    ],
)
def test_same_bits_as_without_autocast(compute):
    expected = compute()
    with torch.autocast('cpu', torch.bfloat16):
        got = compute()
    assert got.dtype == expected.dtype and torch.equal(got, expected)
