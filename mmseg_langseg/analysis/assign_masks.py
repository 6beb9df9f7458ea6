"""Assign the masks of training data to the class prompts, as in training."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from torch import Tensor, nn

from .cluster_sample import ClusterSample
from .mask_crop import crop_mask
from .mask_labels import MaskLabels


@torch.no_grad()
def assign_masks(model: nn.Module, batch: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Assign the masks of a batch as a training step does.

    The features are those of the momentum teacher on the weak view (of the student, if there is no
    teacher); the clusterer assigns all masks of the batch at once, as Sinkhorn balances them.

    Args:
        model: PixelCLIP with class prompts.
        batch: Collated samples of the training pipeline.

    Returns:
        ``masks``, ``(N, h, w)`` bool, those with more than one pixel; the image of each, ``(N,)``
        int64; and its cluster, ``(N,)`` int64.
    """
    data = model.data_preprocessor(batch, True)
    head = model.decode_head
    teacher = (model.teacher or model.backbone)(data['inputs']['weak'])[-1]
    masks, image_index = model.gather_masks(**data)
    keep = masks.flatten(1).sum(1) > 1
    masks, image_index = masks[keep], image_index[keep]
    pooled = head.pooled_masks(teacher, masks, image_index)
    return masks, image_index, head.clusterer.assign(pooled, head.prompts(head.text_encoder))


def sample_clusters(
    model: nn.Module,
    dataset: BaseDataset,
    batch_size: int,
    max_images: int,
    crops: int,
    side: int = 96,
    seed: int = 0,
    labels: MaskLabels | None = None,
) -> ClusterSample:
    """Assign the masks of random images, and keep random crops of each cluster.

    Args:
        model: PixelCLIP with class prompts, in evaluation mode.
        dataset: Training data; its pipeline ends in ``PackMaskInputs``.
        batch_size: Images per batch, within which masks are assigned.
        max_images: Number of images; all, if there are fewer.
        crops: Crops per cluster.
        side: Longest side of a crop in pixels.
        seed: Seed of the choice of images and crops, and of the augmentations.
        labels: Labels of the masks, if known.

    Raises:
        BadFileError: A file cannot be used.
    """
    num_classes = 0 if labels is None else len(labels.classes)
    sample = ClusterSample(model.decode_head.prompts.num_clusters, crops, num_classes, seed)
    bgr = model.data_preprocessor.bgr_to_rgb
    for batch in _batches(dataset, batch_size, max_images, seed):
        masks, image_index, ids = (part.cpu() for part in assign_masks(model, batch))
        samples = zip(batch['inputs']['weak'], batch['data_samples'], strict=True)
        for number, (view, data_sample) in enumerate(samples):
            own = image_index == number
            image = view.numpy().transpose(1, 2, 0)[..., :: -1 if bgr else 1]
            known = np.full(int(own.sum()), -1)
            if labels is not None and own.any():
                known = labels.of_masks(masks[own], data_sample.metainfo)
            image = np.ascontiguousarray(image)
            for mask, cluster, label in zip(
                masks[own].numpy(), ids[own].tolist(), known.tolist(), strict=True
            ):
                place = sample.place(cluster, label)
                if place is not None:
                    sample.keep(cluster, place, crop_mask(image, mask, side))
    return sample


def _batches(dataset: BaseDataset, size: int, most: int, seed: int) -> Iterator[dict]:
    order = np.random.default_rng(seed).permutation(len(dataset))[:most]
    for start in range(0, len(order), size):
        samples = []
        for index in order[start : start + size].tolist():
            # Each image on its own, so that a sample does not depend on the batch size.
            random.seed(seed + index)
            np.random.seed((seed + index) % 2**32)
            torch.manual_seed(seed + index)
            samples.append(dataset[index])
        yield pseudo_collate(samples)
