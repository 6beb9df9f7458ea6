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


def mask_tower(model: nn.Module) -> tuple[nn.Module, str]:
    """Return the image tower whose features training pools over the masks, and its name.

    That is the momentum teacher, which copies the student in the first training step: before that,
    or with a checkpoint without teacher, it is the student, and so it is in a model without one.
    """
    if model.teacher is None or int(model.teacher.steps) == 0:
        return model.backbone, 'student'
    return model.teacher, 'momentum teacher'


@torch.no_grad()
def assign_masks(model: nn.Module, batch: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Assign the masks of a batch as a training step does.

    The features are those of :func:`mask_tower` on the weak view. The clusterer assigns all masks
    of the batch at once, as Sinkhorn balances them.

    Args:
        model: PixelCLIP with class prompts.
        batch: Collated samples of the training pipeline.

    Returns:
        ``masks``, ``(N, h, w)`` bool, those with more than one pixel; the image of each, ``(N,)``
        int64; and its cluster, ``(N,)`` int64.
    """
    data = model.data_preprocessor(batch, True)
    head = model.decode_head
    features = mask_tower(model)[0](data['inputs']['weak'])[-1]
    masks, image_index = model.gather_masks(**data)
    keep = masks.flatten(1).sum(1) > 1
    masks, image_index = masks[keep], image_index[keep]
    pooled = head.pooled_masks(features, masks, image_index)
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

    Python's, numpy's and torch's global random states are seeded anew.

    Args:
        model: PixelCLIP with class prompts, in evaluation mode.
        dataset: Training data; its pipeline ends in ``PackMaskInputs``.
        batch_size: Images per batch, within which masks are assigned.
        max_images: Number of images; all, if there are fewer.
        crops: Crops per cluster.
        side: Longest side of a crop in pixels.
        seed: Seed of the choice of images and crops, and of the augmentations.
        labels: Labels of the masks, if known; the samples then need the metainfo that
            :class:`MaskLabels` reads.

    Raises:
        BadFileError: A file cannot be used, and the dataset does not skip it.
    """
    num_labels = 0 if labels is None else len(labels.classes)
    sample = ClusterSample(model.decode_head.prompts.num_clusters, crops, num_labels, seed)
    bgr = model.data_preprocessor.bgr_to_rgb
    for batch in _batches(dataset, batch_size, max_images, seed):
        masks, image_index, ids = (part.cpu() for part in assign_masks(model, batch))
        views = zip(batch['inputs']['weak'], batch['data_samples'], strict=True)
        for number, (view, data_sample) in enumerate(views):
            sample.images += 1
            own = image_index == number
            known = np.full(int(own.sum()), -1)
            if labels is not None and own.any():
                known = labels.of_masks(masks[own], data_sample.metainfo)
            rgb = (view.flip(0) if bgr else view).permute(1, 2, 0).numpy()
            for mask, cluster, label in zip(masks[own].numpy(), ids[own], known, strict=True):
                place = sample.place(int(cluster), int(label))
                if place is not None:
                    sample.keep(int(cluster), place, crop_mask(rgb, mask, side))
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
            # Unlike dataset[index], no other image replaces one that cannot be used.
            samples.append(dataset.prepare_data(index))
        samples = [sample for sample in samples if sample is not None]
        if samples:
            yield pseudo_collate(samples)
