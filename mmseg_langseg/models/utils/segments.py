"""Segments: k-means clusters of pixel embeddings within the regions of a view (CLIP-S⁴)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_langseg.kmeans import spherical_kmeans


class Segments(NamedTuple):
    """A partition of the valid pixels of all views into segments 0 ... S - 1.

    Attributes:
        ids: ``(N, h, w)`` int64, the segment of each pixel, -1 for none.
        view: ``(S,)`` int64 in [0, N), the view that contains the segment.
        region: ``(S,)`` int64, the region that contains the segment.
    """

    ids: Tensor
    view: Tensor
    region: Tensor


@torch.no_grad()
def find_segments(
    embeddings: Tensor, regions: Tensor, grid: tuple[int, int] = (4, 4), iterations: int = 10
) -> Segments:
    """Clusters the pixel embeddings of each view into segments, split at region boundaries.

    CLIP-S⁴ (CVPR 2023) clusters pixel embeddings into segments and takes positives from regions
    (superpixels or contours). As in SPML and HSG, we use spherical k-means on embeddings with
    their location, initialized on a regular grid; then every (view, region, cluster) is a segment.
    Ignored pixels are excluded from the k-means.

    Args:
        embeddings: ``(N, D, h, w)`` of all views.
        regions: ``(N, h, w)`` integer region ids of the un-augmented image; negative: ignored.
        grid: Rows and columns of initial clusters; with ``(1, 1)`` segments are regions.
        iterations: Iterations of the k-means.

    Returns:
        The segments, in the order of (view, region, cluster).
    """
    if min(grid) < 1:
        raise ValueError(f'grid={grid}: expected at least (1, 1), which leaves regions whole.')
    valid = regions >= 0
    points = located(embeddings).flatten(2).transpose(1, 2)
    flat_valid = valid.flatten(1)
    cells = _grid_cells(*regions.shape[-2:], grid, regions.device).flatten()
    with torch.autocast(points.device.type, enabled=False):
        start = F.one_hot(cells, grid[0] * grid[1]).to(points.dtype).T @ (
            points * flat_valid[..., None]
        )
    clusters, _ = spherical_kmeans(points, start, iterations, flat_valid)
    return _intersect(clusters.view_as(regions), regions.long(), valid, grid[0] * grid[1])


def located(embeddings: Tensor) -> Tensor:
    """Appends the location (y, x) in [-0.5, 0.5] to unit embeddings, and normalizes them again.

    Args:
        embeddings: ``(N, D, h, w)``.

    Returns:
        ``(N, D + 2, h, w)`` float32.
    """
    views, _, height, width = embeddings.shape
    y, x = ((torch.arange(n, device=embeddings.device) + 0.5) / n - 0.5 for n in (height, width))
    location = torch.stack(torch.meshgrid(y, x, indexing='ij')).expand(views, -1, -1, -1)
    return F.normalize(torch.cat([F.normalize(embeddings.float(), dim=1), location], 1), dim=1)


def region_labels(segments: Segments, image_index: Tensor) -> Tensor:
    """Computes a label for each region of each image, equal in all views of the image.

    Args:
        segments: The segments.
        image_index: ``(N,)`` int64, the image that each view shows.

    Returns:
        ``(S,)`` int64, at least 0.
    """
    step = int(segments.region.max()) + 1 if len(segments.region) else 1
    return image_index[segments.view] * step + segments.region


def segment_pixels(embeddings: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """Selects the pixels in segments: unit embeddings ``(P, D)`` float32 and segments ``(P,)``.

    Args:
        embeddings: ``(N, D, h, w)``.
        segments: Segments of the same views.
    """
    inside = segments.ids >= 0
    rows = embeddings.permute(0, 2, 3, 1)[inside]
    return _UnitRows.apply(rows.float()), segments.ids[inside]


def segment_embeddings(embeddings: Tensor, segments: Segments) -> Tensor:
    """Computes normalized mean pixel embeddings of segments, ``v_s = mu_s / |mu_s|``.

    Segment embeddings of CLIP-S⁴ (CVPR 2023; known second-hand), with gradient, for our embeddings
    and, over the same segments, for CLIP's.

    Args:
        embeddings: ``(N, D, h, w)``; zero pixels (without an embedding) are ignored.
        segments: Segments of the same views.

    Returns:
        ``(S, D)`` float32 of norm 1; zero for a segment whose pixels are all zero.
    """
    return mean_rows(*segment_pixels(embeddings, segments), len(segments.view))


def mean_rows(rows: Tensor, ids: Tensor, number: int) -> Tensor:
    """Computes the normalized mean row of each segment, from what ``segment_pixels`` returns.

    Args:
        rows: ``(P, D)`` float32; zero rows are ignored.
        ids: ``(P,)`` int64 in [0, S), the segment of each row.
        number: S.

    Returns:
        ``(S, D)`` float32 of norm 1; zero for a segment whose rows are all zero.
    """
    sums = rows.new_zeros(number, rows.shape[1])
    return F.normalize(sums.index_add(0, ids, rows), dim=1)


def _grid_cells(
    height: int, width: int, grid: tuple[int, int], device: torch.device | str
) -> Tensor:
    """Computes the cell ``(h, w)`` int64 of each pixel in a regular grid."""
    row = torch.arange(height, device=device) * grid[0] // height
    column = torch.arange(width, device=device) * grid[1] // width
    return row[:, None] * grid[1] + column


def _intersect(clusters: Tensor, regions: Tensor, valid: Tensor, num_clusters: int) -> Segments:
    """Numbers the existing (view, region, cluster) triples; all inputs ``(N, h, w)``."""
    num_regions = int(regions.max()) + 1 if valid.any() else 1
    view = torch.arange(len(regions), device=regions.device)[:, None, None]
    key = (view * num_regions + regions) * num_clusters + clusters
    found, index = key[valid].unique(return_inverse=True)
    ids = torch.full_like(regions, -1)
    ids[valid] = index
    place = found // num_clusters
    return Segments(ids, place // num_regions, place % num_regions)


class _UnitRows(torch.autograd.Function):
    """Normalizes rows ``(P, D)``, keeping zero rows.

    Like ``F.normalize``, whose backward pass, however, holds five more tensors of the size of the
    features; this one holds one.
    """

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        """Divides by the norm; by infinity where it is 0."""
        norm = rows.norm(dim=1, keepdim=True)
        norm = norm.masked_fill(norm == 0, torch.inf)
        unit = rows / norm
        ctx.save_for_backward(unit, norm)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:
        """Returns the component of the gradient orthogonal to the row, divided by the norm."""
        unit, norm = ctx.saved_tensors
        along = (grad[:, None] @ unit[:, :, None])[:, 0]
        return torch.addcmul(grad, unit, along, value=-1).div_(norm)
