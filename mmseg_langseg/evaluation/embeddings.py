"""Pixel embeddings of a dataset, and scores upsampled to its label maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class EmbeddedBatch(NamedTuple):
    """Embeddings of a batch of images.

    Attributes:
        embeddings: ``(B, D, h, w)`` float32 of norm 1 along D.
        size: Height and width of the input images of the model.
        samples: Labels and meta information of the images.
    """

    embeddings: Tensor
    size: tuple[int, int]
    samples: list[SegDataSample]


@torch.no_grad()
def embed_images(model: EncoderDecoder, loader: DataLoader) -> Iterator[EmbeddedBatch]:
    """Run the encoder of a segmentor on whole images, one batch at a time.

    Args:
        model: Segmentor with ``(B, D, h, w)`` as the last output of ``extract_feat``: a student
            with its ``EmbeddingHead``, a CLIP tower, or a plain backbone.
        loader: Dataloader of test images, as in MMSegmentation.

    Raises:
        TypeError: If the model is not an ``EncoderDecoder``.
    """
    if not isinstance(model, EncoderDecoder):
        raise TypeError(
            f'{type(model).__name__} gives no embeddings: expected an EncoderDecoder, such as '
            'CLIPS4 or LanguageSegmentor.'
        )
    model.eval()
    for batch in loader:
        data = model.data_preprocessor(batch, False)
        features = model.extract_feat(data['inputs'])[-1]
        embeddings = F.normalize(features.float(), dim=1)
        yield EmbeddedBatch(embeddings, tuple(data['inputs'].shape[2:]), data['data_samples'])


def label_and_prediction(
    model: EncoderDecoder, batch: EmbeddedBatch, scores: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Upsample scores to the size of the labels, as MMSegmentation does with logits.

    Bilinear to the input size, padding removed, bilinear to the label size, argmax.

    Args:
        model: The segmentor.
        batch: Batch of its embeddings.
        scores: ``(B, K, h, w)``, K at least 2.

    Returns:
        For each image, its labels ``(H, W)`` and the argmax over K ``(H, W)``, int64.

    Raises:
        ValueError: If an image has no labels.
    """
    if not all('gt_sem_seg' in sample for sample in batch.samples):
        raise ValueError(
            'The images have no labels, which an mIoU needs: add LoadLabelMap to the pipeline of '
            'the dataset.'
        )
    scores = F.interpolate(
        scores, size=batch.size, mode='bilinear', align_corners=model.align_corners
    )
    samples = model.postprocess_result(scores, batch.samples)
    return [(sample.gt_sem_seg.data[0], sample.pred_sem_seg.data[0]) for sample in samples]


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """Return the class names of a dataset.

    Raises:
        ValueError: If it has none.
    """
    names = dataset.metainfo.get('classes')
    if not names:
        raise ValueError(f'{type(dataset).__name__} names no classes in its metainfo.')
    return tuple(names)


def describe_images(dataset: Dataset) -> str:
    """Describe number, dataset and split of the images, for the text of a protocol."""
    prefix = dataset.data_prefix.get('img_path', '')
    split = getattr(dataset, 'split', None) or dataset.ann_file or prefix
    return f'{len(dataset)} images of {type(dataset).__name__} ({split})'
