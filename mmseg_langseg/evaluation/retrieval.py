"""Unsupervised segmentation: nearest-neighbor retrieval of segment labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor
from torch.utils.data import DataLoader

from mmseg_langseg.models.utils import find_segments, segment_embeddings

from .confusion import class_iou, count_pixels
from .embeddings import (
    EmbeddedBatch,
    class_names,
    describe_images,
    embed_images,
    label_and_prediction,
)
from .protocol_result import ProtocolResult

GRID = (6, 6)
ITERATIONS = 10
CHUNK = 256


def retrieve_labels(queries: Tensor, memory: Tensor, labels: Tensor, neighbors: int) -> Tensor:
    """Return the majority label of the nearest neighbors in a memory.

    Of equally frequent labels, the one with the larger sum of cosines wins.

    Args:
        queries: ``(Q, D)`` of norm 1.
        memory: ``(M, D)`` of norm 1.
        labels: ``(M,)`` int64, at least 0.
        neighbors: Number of rows with the largest cosine to use; all if there are fewer.

    Returns:
        ``(Q,)`` int64.

    Raises:
        ValueError: If the memory is empty, or ``neighbors`` is below 1.
    """
    if neighbors < 1 or not len(memory):
        raise ValueError(
            f'{neighbors} neighbors in a memory of {len(memory)} rows: expected at least one of '
            'each; is the memory split labeled?'
        )
    votes = []
    # In chunks, as the cosines with the whole memory need the most space.
    for part in queries.split(CHUNK):
        cosines, nearest = (part @ memory.T).topk(min(neighbors, len(memory)), dim=1)
        found = labels[nearest]
        count = cosines.new_zeros(len(part), int(labels.max()) + 1)
        total = count.scatter_add(1, found, cosines)
        count = count.scatter_add(1, found, torch.ones_like(cosines))
        most = count == count.amax(1, keepdim=True)
        votes.append(total.masked_fill(~most, -torch.inf).argmax(1))
    return torch.cat(votes) if votes else labels.new_zeros(0)


def find_image_segments(
    model: EncoderDecoder, batch: EmbeddedBatch
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Segment whole images by k-means, at the size of the labels.

    Returns:
        Segment embeddings ``(S, D)`` and, for each image, its labels and its segments, both
        ``(H, W)``.
    """
    shape = (len(batch.samples), *batch.embeddings.shape[2:])
    # One region: only the embeddings and their location divide an image.
    regions = torch.zeros(shape, dtype=torch.long, device=batch.embeddings.device)
    segments = find_segments(batch.embeddings, regions, GRID, ITERATIONS)
    images = torch.arange(len(batch.samples), device=regions.device)
    first = torch.searchsorted(segments.view, images)
    inside = F.one_hot(segments.ids - first[:, None, None], GRID[0] * GRID[1])
    maps = label_and_prediction(model, batch, inside.permute(0, 3, 1, 2).float())
    shifted = [(label, ids + start) for (label, ids), start in zip(maps, first, strict=True)]
    return segment_embeddings(batch.embeddings, segments), shifted


def build_memory(model: EncoderDecoder, loader: DataLoader) -> tuple[Tensor, Tensor]:
    """Return embeddings ``(M, D)`` and majority labels ``(M,)`` of all labeled segments."""
    num_classes = len(class_names(loader.dataset))
    rows, labels = [], []
    for batch in embed_images(model, loader):
        embeddings, maps = find_image_segments(model, batch)
        counts = sum(count_pixels(label, ids, num_classes, len(embeddings)) for label, ids in maps)
        counts = counts.to(embeddings.device)
        labeled = counts.sum(0) > 0
        rows.append(embeddings[labeled])
        labels.append(counts.argmax(0)[labeled])
    return torch.cat(rows), torch.cat(labels)


def evaluate_retrieval(
    model: EncoderDecoder, loader: DataLoader, memory_loader: DataLoader, neighbors: int = 20
) -> ProtocolResult:
    """Label the segments of a dataset by retrieval from the labeled segments of another one.

    The protocol of SegSort and HSG: k-means within each image, then the majority label of the
    nearest labeled segments. CLIP-S⁴'s own protocol is not known. Keeps one row of D numbers per
    segment of the memory (at most 36 per image) and one batch of images.

    Args:
        model: See :func:`embed_images`.
        loader: Test images with labels.
        memory_loader: Labeled images of the same classes to retrieve from.
        neighbors: Number of nearest neighbors.

    Raises:
        ValueError: If the classes of both datasets differ.
    """
    classes = class_names(loader.dataset)
    if class_names(memory_loader.dataset) != classes:
        raise ValueError('The classes of the memory split are not those of the test split.')
    memory, labels = build_memory(model, memory_loader)
    confusion = torch.zeros(len(classes), len(classes), dtype=torch.long)
    for batch in embed_images(model, loader):
        embeddings, maps = find_image_segments(model, batch)
        found = retrieve_labels(embeddings, memory, labels, neighbors)
        for label, ids in maps:
            confusion += count_pixels(label, found[ids], len(classes), len(classes))
    words = (
        f'retrieval. Unit embeddings ({memory.shape[1]} dimensions) of '
        f'{describe_images(loader.dataset)}, whole images, one scale, no flip; segments of each '
        f'image by spherical k-means on embeddings with location, {GRID[0]}x{GRID[1]} clusters, '
        f'{ITERATIONS} iterations; each segment takes the majority label of its {neighbors} '
        f'nearest by cosine among {len(memory)} segments of '
        f'{describe_images(memory_loader.dataset)}, which have the majority label of their pixels; '
        'segments upsampled bilinearly, argmax. Labels are used for retrieval and score only; '
        'nothing is trained on them.'
    )
    return ProtocolResult(class_iou(confusion), words)
