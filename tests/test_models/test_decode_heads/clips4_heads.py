"""CLIP-S⁴ head and a batch for it."""

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_langseg.models.utils import find_segments
from tests.tiny import VIT

KNOWN = ['cat', 'dog', 'grass']
DIM = 12
LOSSES = ('loss_contrast', 'loss_embedding', 'loss_semantic')


def clips4_head(**changes):
    torch.manual_seed(0)
    config = dict(
        type='CLIPS4Head',
        text_encoder=dict(type='OpenCLIPTextEncoder', arch=VIT, pretrained=None),
        templates='single',
        known=KNOWN,
        clusterer=dict(type='UnknownPrototypes', num_clusters=4),
        grid=(1, 1),
        iterations=2,
        loss_contrast=dict(type='PixelSegmentContrastLoss', loss_weight=0.5),
        loss_embedding=dict(type='EmbeddingConsistencyLoss', loss_weight=2.0),
        loss_semantic=dict(type='SemanticConsistencyLoss', threshold=0.4),
    )
    return MODELS.build({**config, **changes})


def batch(seed=1):
    """Return four views of two images; every region of an image occurs in both of its views."""
    generator = torch.Generator().manual_seed(seed)
    embeddings, clip = torch.randn(2, 4, DIM, 3, 5, generator=generator)
    regions = torch.randint(-1, 3, (4, 3, 5), generator=generator)
    return embeddings.requires_grad_(), clip, regions, torch.tensor([0, 0, 1, 1])


def members_of(embeddings, regions, grid):
    """Return the pixels (view, y, x) of each segment, and its (view, region)."""
    ids = find_segments(embeddings, regions, grid, 2).ids
    members = {}
    for place in (regions >= 0).nonzero().tolist():
        n, y, x = place
        key = (n, int(regions[n, y, x])) if grid == (1, 1) else int(ids[n, y, x])
        members.setdefault(key, []).append((n, y, x))
    return [members[key] for key in sorted(members)]


def mean_direction(features, places):
    rows = [F.normalize(features[n, :, y, x], dim=0) for n, y, x in places]
    return F.normalize(torch.stack(rows).sum(0), dim=0)
