"""Unsupervised segmentation: k-means clustering of embeddings with Hungarian matching."""

from __future__ import annotations

import torch
from mmseg.models.segmentors import EncoderDecoder
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.utils.data import DataLoader

from mmseg_langseg.kmeans import seed_centroids, spherical_kmeans
from mmseg_langseg.models.utils import cosine_map

from .confusion import class_iou, count_pixels
from .embeddings import class_names, describe_images, embed_images, label_and_prediction
from .protocol_result import ProtocolResult

ITERATIONS = 50


def hungarian_iou(confusion: Tensor) -> tuple[Tensor, Tensor]:
    """Return the IoU of each class after Hungarian matching of clusters and classes.

    Classes that occur are matched one-to-one with clusters such that the sum of their IoUs is the
    largest. If there are more clusters than such classes, each cluster left over is assigned to the
    class of most of its pixels. If there are fewer clusters, each class left over has IoU 0.

    Args:
        confusion: ``(C, K)`` pixel counts of C classes in K clusters.

    Returns:
        IoU ``(C,)`` float64 in 0..1, ``nan`` for a class that does not occur, and the class of
        each cluster ``(K,)`` int64.
    """
    counts = confusion.double()
    occurring = counts.sum(1).nonzero()[:, 0]
    present = counts[occurring]
    union = present.sum(1, keepdim=True) + present.sum(0, keepdim=True) - present
    rows, clusters = linear_sum_assignment((present / union).numpy(), maximize=True)
    cluster_class = counts.argmax(0)
    cluster_class[torch.as_tensor(clusters)] = occurring[torch.as_tensor(rows)]
    merged = counts.new_zeros(len(counts), len(counts)).index_add_(1, cluster_class, counts)
    return class_iou(merged), cluster_class


def cluster_embeddings(points: Tensor, num_clusters: int, seed: int) -> Tensor:
    """Return unit centroids ``(K, D)`` of points ``(P, D)``: k-means++, then spherical k-means."""
    init = seed_centroids(points[None], num_clusters, seed)
    return spherical_kmeans(points[None], init, ITERATIONS)[1][0]


def draw_points(model: EncoderDecoder, loader: DataLoader, max_points: int, seed: int) -> Tensor:
    """Draw the embeddings of random cells, the same number from each image.

    Args:
        model: See :func:`embed_images`.
        loader: Images; their labels are not read.
        max_points: Upper bound of the points, and thus of the memory; at least one per image.
        seed: Random seed.

    Returns:
        ``(P, D)`` float32 on the device of the model.
    """
    quota = max(1, max_points // len(loader.dataset))
    generator = torch.Generator().manual_seed(seed)
    points = []
    for batch in embed_images(model, loader):
        for rows in batch.embeddings.flatten(2).transpose(1, 2):
            chosen = torch.randperm(len(rows), generator=generator)[:quota]
            points.append(rows[chosen.to(rows.device)])
    return torch.cat(points)


def evaluate_kmeans(
    model: EncoderDecoder,
    loader: DataLoader,
    num_clusters: int | None = None,
    seed: int = 0,
    max_points: int = 50_000,
) -> ProtocolResult:
    """Cluster the embeddings of a labeled dataset by k-means and evaluate the clusters.

    CLIP-S⁴ (CVPR 2023) names unsupervised segmentation as an application; its protocol is not
    known, this one is ours. The images are read twice; one batch and a few copies of
    ``max_points * (D + K)`` numbers are kept in memory.

    Args:
        model: See :func:`embed_images`.
        loader: Test images with labels.
        num_clusters: K; by default the number of classes.
        seed: Random seed of the points and the initial centroids.
        max_points: Upper bound of the number of clustered points.

    Raises:
        ValueError: If fewer than two clusters are requested, or more than there are points.
    """
    classes = class_names(loader.dataset)
    clusters = len(classes) if num_clusters is None else num_clusters
    if clusters < 2:
        raise ValueError(f'{clusters} cluster(s): expected at least 2.')
    points = draw_points(model, loader, max_points, seed)
    centroids = cluster_embeddings(points, clusters, seed)
    confusion = torch.zeros(len(classes), clusters, dtype=torch.long)
    for batch in embed_images(model, loader):
        scores = cosine_map(batch.embeddings, centroids)
        for label, cluster in label_and_prediction(model, batch, scores):
            confusion += count_pixels(label, cluster, len(classes), clusters)
    iou, _ = hungarian_iou(confusion)
    return ProtocolResult(iou, _in_words(loader, points, clusters, confusion, seed))


def _in_words(
    loader: DataLoader, points: Tensor, clusters: int, confusion: Tensor, seed: int
) -> str:
    occurring = int((confusion.sum(1) > 0).sum())
    rest = (
        f', and each cluster left over ({clusters - occurring}) to the class of most of its pixels'
        if clusters > occurring
        else ''
    )
    return (
        f'k-means + Hungarian. Unit embeddings ({points.shape[1]} dimensions) of '
        f'{describe_images(loader.dataset)}, whole images, one scale, no flip; '
        f'{len(points)} cells, drawn without labels, the same number per image; spherical '
        f'k-means, {clusters} clusters, k-means++, {ITERATIONS} iterations, seed {seed}; cosines '
        'with the centroids upsampled bilinearly, argmax; clusters and the '
        f'{occurring} classes that occur matched one-to-one by the largest sum of IoU on the same '
        f'images{rest}. Labels are used for the matching and the score only.'
    )
