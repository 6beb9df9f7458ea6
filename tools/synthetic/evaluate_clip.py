"""Evaluate a CLIP on the synthetic dataset: on images, ground-truth masks and pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.models.backbones.blocks import OpenCLIPBlock
from mmseg_langseg.models.backbones.readouts.value import ValueReadout
from mmseg_langseg.models.clip_files import read_clip_file
from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.text_encoders.templates import IMAGENET_SELECT, SINGLE
from mmseg_langseg.synthetic.renderer import CLASSES, OBJECT_CLASSES, SPLITS, render_scene

import numpy as np
import open_clip
import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

MEAN = torch.tensor([122.7709383, 116.7460125, 104.09373615]).view(3, 1, 1)
STD = torch.tensor([68.5005327, 66.6321579, 70.3231630]).view(3, 1, 1)
TEMPLATES = {'single': SINGLE, 'ensemble': IMAGENET_SELECT}


def normalize(images: np.ndarray | Tensor) -> Tensor:
    """Convert uint8 (B, H, W, 3) to normalized float (B, 3, H, W)."""
    tensor = torch.as_tensor(np.asarray(images)).permute(0, 3, 1, 2)
    return ((tensor - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean precision at the positives, ranked by score."""
    hits = truth[np.argsort(-scores, kind='stable')]
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean())


def dense_features(model: nn.Module, images: Tensor) -> Tensor:
    """Return dense features (B, D, h, w): every cell is projected, instead of the pooled vector.

    A vision transformer is read out by its value path (MaskCLIP).
    """
    if isinstance(model.visual, VisionTransformer):
        return _value_features(model.visual, images)
    cells = model.visual.trunk.forward_features(images)
    return model.visual.head(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _value_features(visual: VisionTransformer, images: Tensor) -> Tensor:
    tokens = visual.conv1(images).flatten(2).transpose(1, 2)
    class_token = visual.class_embedding.expand(len(images), 1, -1)
    tokens = visual.ln_pre(torch.cat([class_token, tokens], dim=1) + visual.positional_embedding)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    cells = (
        visual.ln_post(ValueReadout()(OpenCLIPBlock(last), tokens, visual.grid_size)[:, 1:])
        @ visual.proj
    )
    return cells.transpose(1, 2).unflatten(2, visual.grid_size)


def upsampled_logits(features: Tensor, words: Tensor) -> Tensor:
    """Return cosines (B, K, 64, 64)."""
    logits = torch.einsum('bdhw,kd->bkhw', nn.functional.normalize(features, dim=1), words)
    return nn.functional.interpolate(logits, size=64, mode='bilinear', align_corners=False)


def mean_iou(predicted: Tensor, labels: Tensor) -> float:
    """Return the mean IoU in percent over all classes."""
    count = len(CLASSES)
    table = torch.bincount((labels * count + predicted).flatten(), minlength=count**2)
    table = table.view(count, count).double()
    union = table.sum(0) + table.sum(1) - table.diagonal()
    return float((table.diagonal() / union.clamp_min(1)).mean() * 100)


@torch.no_grad()
def encode_words(
    model: nn.Module, tokenize: Callable[[list[str]], Tensor], templates: tuple
) -> Tensor:
    """Return unit text embeddings (K, D) of the classes, means over prompt templates."""
    texts = [[template.format(name) for name in CLASSES] for template in templates]
    embeddings = [model.encode_text(tokenize(t), normalize=True) for t in texts]
    return nn.functional.normalize(torch.stack(embeddings).mean(0), dim=-1)


@torch.no_grad()
def evaluate(
    model: nn.Module, words: Tensor, images: np.ndarray, labels: np.ndarray, others: np.ndarray
) -> dict:
    """Evaluate a CLIP on images, ground-truth masks and pixels; all results in percent.

    Args:
        model: The CLIP.
        words: Text embeddings (K, D) of the classes.
        images: uint8 (N, 64, 64, 3).
        labels: uint8 (N, 64, 64).
        others: Unlabeled training images, for the per-class mean of the logits.
    """
    model.eval()
    objects = len(OBJECT_CLASSES)
    batches = [normalize(b) for b in np.array_split(images, max(1, len(images) // 100))]
    pooled = torch.cat([model.encode_image(b, normalize=True) for b in batches])
    features = torch.cat([dense_features(model, b) for b in batches])
    truth = torch.as_tensor(labels).long()
    onehot = nn.functional.one_hot(truth, len(CLASSES)).permute(0, 3, 1, 2).float()
    present = onehot.flatten(2).any(-1).numpy()
    scores = (pooled @ words.T).numpy()
    few = present[:, :objects].sum(1) <= 3
    # CLIP's zero-shot classifier: probabilities over the names at its own logit scale.
    chances = (pooled @ words[:objects].T * model.logit_scale.exp()).softmax(dim=1).numpy()
    precisions, by_cosine = (
        [average_precision(s[few, k], present[few, k]) for k in range(objects)]
        for s in (chances, scores)
    )
    ground = present[:, objects:].argmax(1) == scores[:, objects:].argmax(1)
    # Mask pooling of the upsampled features: the mean of the pixels of a mask.
    large = nn.functional.interpolate(features, size=64, mode='bilinear', align_corners=False)
    pooled_masks = torch.einsum('bdhw,bkhw->bkd', large, onehot)[torch.as_tensor(present)]
    names = torch.as_tensor(present).nonzero()[:, 1]
    similarity = nn.functional.normalize(pooled_masks, dim=-1) @ words.T
    right = similarity.argmax(1) == names
    is_object = names < objects
    right_object = similarity[is_object, :objects].argmax(1) == names[is_object]
    logits = upsampled_logits(features, words)
    unseen = dense_features(model, normalize(others))
    mean = upsampled_logits(unseen, words).mean(dim=(0, 2, 3)).view(-1, 1, 1)
    figures = dict(
        image_map=np.mean(precisions) * 100,
        image_map_by_cosine=np.mean(by_cosine) * 100,
        worst_class_ap=np.min(precisions) * 100,
        background_accuracy=ground.mean() * 100,
        object_masks_right=right_object.float().mean().item() * 100,
        all_masks_right=right.float().mean().item() * 100,
        miou_raw=mean_iou(logits.argmax(1), truth),
        miou_centered=mean_iou((logits - mean).argmax(1), truth),
    )
    return {name: round(float(value), 2) for name, value in figures.items()}


def load_scenes(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of the first scenes of a split."""
    scenes = [render_scene(split, index) for index in range(count)]
    return np.stack([s.image for s in scenes]), np.stack([s.labels for s in scenes])


def main(argv: Sequence[str] | None = None) -> None:
    """Load, evaluate, print."""
    parser = command_parser(__doc__)
    parser.add_argument('clip', type=Path, help='compact CLIP file')
    parser.add_argument('--split', choices=sorted(SPLITS), default='test')
    parser.add_argument('--scenes', type=positive_int, default=1000)
    args = parser.parse_args(argv)
    arch = read_clip_file(args.clip).arch
    if arch is None:
        raise ValueError(f'{str(args.clip)!r} is not a compact CLIP file: it holds no arch.')
    model = load_clip(arch, str(args.clip))
    images, labels = load_scenes(args.split, args.scenes)
    others, _ = load_scenes('train', 200)
    for kind, templates in TEMPLATES.items():
        words = encode_words(model, open_clip.SimpleTokenizer(), templates)
        for name, value in evaluate(model, words, images, labels, others).items():
            print(f'{kind:10s}{name:22s}{value:6.1f}')


if __name__ == '__main__':
    run_command(main)
