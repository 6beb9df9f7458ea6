"""Run a segmentor on photos without labels: what it predicts in each region, and of each mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.models.segmentors import PixelFeatures, compute_logits, predict_labels
from mmseg_langseg.models.segmentors.compute_logits import dense_windows, resizes_in_one_step
from mmseg_langseg.models.segmentors.mask_classification import pool_rles

from .evidence import Evidence, region_counts
from .judgment import Judgment, chance_of_names
from .mask_crops import clip_tower, embed_crops
from .photo import Photo

# Chosen in the study of docs/verdict.md.
_DENSE_WEIGHT = 0.5

Prepare = Callable[[np.ndarray], dict]


@torch.no_grad()
def measure(model: EncoderDecoder, prepare: Prepare, photos: Sequence[Photo]) -> Evidence:
    """Predict photos and count the predicted classes by region.

    Args:
        model: Segmentor with a ``LanguageHead`` and a vocabulary, in evaluation mode.
        prepare: Test preprocessing: an RGB image to a sample with ``inputs`` and ``data_samples``.
        photos: At least one photo.
    """
    counts = []
    for photo, _, inputs, meta in _inputs(model, prepare, photos):
        labels = predict_labels(compute_logits(model, inputs, [meta])[0]).cpu().numpy()
        regions = masks_to_regions(photo.masks, *labels.shape)
        counts.append(region_counts(labels, regions, len(photo.masks), model.num_classes))
    return Evidence.of(counts)


@torch.no_grad()
def judge(model: EncoderDecoder, prepare: Prepare, photos: Sequence[Photo]) -> Judgment:
    """Judge the classes of masks, from their crops and from dense features.

    Three embeddings of a mask are compared with the class names: the image embeddings of its crop,
    once cut out and once in its context (see :func:`crop_masks`), and the mean of the dense
    features in it. The mean cosine of each class over all masks is subtracted from each, and they
    are added, the last with half the weight.

    The untrained model knows what is in a crop, but not where. Dense features alone would favor the
    untrained model in a comparison, as the errors of its pixels are also in their mean.

    Args:
        model: See :func:`measure`; the untrained model. Without an image tower of an image-text
            model, dense features alone are used.
        prepare: See there.
        photos: See there.
    """
    head, crops = model.decode_head, {}
    dense = [torch.zeros(0, head.text_encoder.embed_dim)]
    for photo, rgb, inputs, meta in _inputs(model, prepare, photos):
        if not photo.masks:
            continue
        direct = resizes_in_one_step(model, meta)
        windows = dense_windows(model, inputs)[0]
        canvas = tuple(inputs.shape[2:])
        features = PixelFeatures.of(windows, meta, canvas, direct, model.align_corners)
        dense.append(pool_rles(features, photo.masks).cpu())
        if clip_tower(model) is not None:
            for cut_out in (True, False):
                rows = embed_crops(model, rgb, photo.masks, cut_out).cpu()
                crops.setdefault(cut_out, []).append(rows)
    parts = [torch.cat(rows) for rows in crops.values()]
    pooled = torch.cat(dense)
    if not len(pooled):
        return Judgment(np.zeros((0, head.num_classes), np.float32), 1.0)
    scores = _class_scores(model, pooled)
    if parts:
        scores = sum(_class_scores(model, part) for part in parts) + _DENSE_WEIGHT * scores
    return Judgment(scores, chance_of_names(parts or [pooled], head.text_rows.cpu()))


@torch.no_grad()
def mean_feature(model: EncoderDecoder, prepare: Prepare, photos: Sequence[Photo]) -> np.ndarray:
    """Average the normalized dense features of photos, for ``LanguageHead(center=...)``.

    Args:
        model: See :func:`measure`; no vocabulary is needed.
        prepare: See there.
        photos: At least one photo; each has the same weight. Masks are not used.

    Returns:
        ``(D,)`` float32.
    """
    total, count = 0.0, 0
    for _, _, inputs, _ in _inputs(model, prepare, photos):
        features = model.extract_feat(inputs)[-1].float()
        size = model.decode_head.feature_size
        if size is not None:
            features = F.interpolate(features, size=size, mode='bilinear', align_corners=False)
        total = total + F.normalize(features, dim=1).double().mean((0, 2, 3))
        count += 1
    return (total / count).float().cpu().numpy()


def _inputs(
    model: EncoderDecoder, prepare: Prepare, photos: Sequence[Photo]
) -> Iterator[tuple[Photo, np.ndarray, Tensor, dict]]:
    for photo in photos:
        rgb = photo.load()
        data = model.data_preprocessor(pseudo_collate([prepare(rgb)]), False)
        meta = dict(data['data_samples'][0].metainfo, ori_shape=rgb.shape[:2])
        yield photo, rgb, data['inputs'], meta


def _class_scores(model: EncoderDecoder, embeddings: Tensor) -> np.ndarray:
    """Return the cosines ``(N, K)`` of embeddings with the classes, centered over the rows.

    A class with several embedding rows has its best.
    """
    head = model.decode_head
    scores = head.embedding_scores(embeddings.to(head.text_rows.device))
    best = scores.new_full((len(scores), head.num_classes), float('-inf'))
    best = best.scatter_reduce(1, head.row_class.expand_as(scores), scores, reduce='amax')
    best = best.cpu().numpy()
    return best - best.mean(0)
