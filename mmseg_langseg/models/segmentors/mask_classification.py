"""Zero-shot classification of given masks by the dense features of a segmentor."""

from __future__ import annotations

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.formats import decode_rle

from .compute_logits import dense_windows, resizes_in_one_step
from .pixel_features import PixelFeatures

_CHUNK_PIXELS = 2**24


def classify_masks(
    model: EncoderDecoder,
    inputs: Tensor,
    data_samples: list[SegDataSample],
    threshold: float | None = None,
) -> list[SegDataSample]:
    """Classify the masks of images, and paint them with their classes (PixelCLIP, Table 2).

    The dense features, not normalized, are averaged over each mask (see :class:`PixelFeatures`);
    the mask gets the class of the highest cosine with a text embedding. Where masks overlap, the
    smallest is on top.

    Args:
        model: Segmentor with a ``LanguageHead``.
        inputs: ``(B, 3, H, W)``, preprocessed.
        data_samples: Each has ``mask_rles`` of ``LoadMaskProposals`` in its metainfo.
        threshold: Masks with a lower probability of their class get class 0, the background.

    Returns:
        The samples with ``pred_mask_classes`` ``(N,)`` int64 and ``pred_sem_seg`` ``(1, H, W)``
        int64, which is 255 (with more than 255 classes 65535) in pixels without a mask.

    Raises:
        ValueError: A sample has no ``mask_rles``.
    """
    _check_masks(data_samples)
    canvas = tuple(inputs.shape[2:])
    for sample, windows in zip(data_samples, dense_windows(model, inputs), strict=True):
        meta = sample.metainfo
        direct = resizes_in_one_step(model, meta)
        with torch.autocast(inputs.device.type, enabled=False):
            features = PixelFeatures.of(windows, meta, canvas, direct, model.align_corners)
            embeddings = pool_rles(features, meta['mask_rles'])
            classes = _classify(model, embeddings, threshold)
        sample.pred_mask_classes = classes
        labels = _paint(meta['mask_rles'], classes, meta['ori_shape'][:2], model.num_classes)
        sample.pred_sem_seg = PixelData(data=labels[None])
    return data_samples


def pool_rles(features: PixelFeatures, rles: list[dict]) -> Tensor:
    """Average the features of an image over masks, a few at a time.

    Args:
        features: Features of the image.
        rles: N COCO RLEs of its size.

    Returns:
        ``(N, D)`` float32.
    """
    cells = features.cells
    height, width = len(features.rows), len(features.columns)
    count = max(_CHUNK_PIXELS // (height * width), 1)
    pooled = [cells.new_zeros(0, len(cells))]
    for start in range(0, len(rles), count):
        some = [torch.from_numpy(decode_rle(rle)) for rle in rles[start : start + count]]
        pooled.append(features.pool(torch.stack(some).to(cells.device)))
    return torch.cat(pooled)


def _check_masks(samples: list[SegDataSample] | None) -> None:
    if samples is None or any('mask_rles' not in sample.metainfo for sample in samples):
        raise ValueError(
            'test_cfg.classify_masks needs masks: put LoadMaskProposals before PackSegInputs in '
            "the test pipeline, with 'mask_rles' and 'mask_classes' in the meta_keys of the latter."
        )


def _classify(model: EncoderDecoder, embeddings: Tensor, threshold: float | None) -> Tensor:
    head = model.decode_head
    scores = head.embedding_scores(embeddings)
    classes = head.row_class[scores.argmax(1)]
    if threshold is None:
        return classes
    best = (model.logit_scale * scores).softmax(1).amax(1)
    return classes.masked_fill(best < threshold, 0)


def _paint(rles: list[dict], classes: Tensor, size: tuple[int, int], num_classes: int) -> Tensor:
    """Return the class ``(H, W)`` of the smallest mask of each pixel."""
    regions = torch.from_numpy(masks_to_regions(rles, *size)).to(classes.device)
    uncovered = classes.new_tensor([255 if num_classes <= 255 else 65535])
    return torch.cat([uncovered, classes])[regions.long()]
