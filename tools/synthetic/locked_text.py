"""Train a vision transformer against the text tower and image embeddings of another tiny CLIP."""

from __future__ import annotations

from pathlib import Path

import mmseg_langseg.synthetic.tiny_resnet  # noqa: F401  (registers the trunk in timm)
from mmseg_langseg.models.clip_files import ClipFile, read_clip_file
from mmseg_langseg.models.clip_loader import load_clip

import numpy as np
import open_clip
import torch
from evaluate_clip import encode_words, normalize
from torch import Tensor, nn

VIT = dict(image_size=64, patch_size=8, width=64, layers=4, head_width=16)
PART = 500


def read_teacher(path: Path) -> ClipFile:
    """Read a compact CLIP file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is in another format.
    """
    file = read_clip_file(path)
    if file.token_embedding is None:
        raise ValueError(f'{str(path)!r} is not a compact CLIP file (train_clip.py).')
    return file


class LockedTextTraining:
    """Trains the image tower of a CLIP whose text tower is another CLIP's, and stays as it is.

    The loss is CLIP's on images and captions plus a distillation: one minus the cosine of the
    *image* embeddings of both towers. No dense feature of the teacher is used.

    Args:
        teacher: Compact CLIP file.
        images: Training images, uint8 (N, 64, 64, 3).
        captions: Their captions.
        seed: Seed of the initial weights.
        distillation: Weight of the distillation.
    """

    def __init__(
        self,
        teacher: Path,
        images: np.ndarray,
        captions: list[str],
        seed: int,
        distillation: float,
    ) -> None:
        self.file = read_teacher(teacher)
        other = load_clip(self.file.arch, teacher)
        self.arch = self.file.arch | dict(vision_cfg=VIT)
        torch.manual_seed(seed)
        self.model = open_clip.CustomTextCLIP(**self.arch).requires_grad_(False)
        self.model.text.load_state_dict(other.text.state_dict())
        self.model.logit_scale.copy_(other.logit_scale.detach())
        self.model.visual.requires_grad_(True)
        self.distillation = distillation
        self.num_words = len(self.file.token_embedding['ids'])
        different = sorted(set(captions))
        number = {caption: index for index, caption in enumerate(different)}
        self.captions = torch.tensor([number[caption] for caption in captions])
        tokens = open_clip.SimpleTokenizer()(different).split(PART)
        parts = [images[start : start + PART] for start in range(0, len(images), PART)]
        with torch.no_grad():
            self.texts = torch.cat([other.encode_text(part, normalize=True) for part in tokens])
            # Of the images as they are: what augmentation and cropping change is not in a caption.
            self.taught = torch.cat(
                [other.encode_image(normalize(part), normalize=True) for part in parts]
            )

    def loss(self, images: Tensor, batch: np.ndarray) -> Tensor:
        """Compute the loss of images (B, 3, H, W), which are crops at a random place of the grid.

        Args:
            images: Images, or crops with sides that are multiples of the patch size.
            batch: Their indices (B,).
        """
        caption = self.captions[batch]
        texts, same = self.texts[caption], (caption[:, None] == caption).float()
        embeddings = nn.functional.normalize(encode_crops(self.model.visual, images), dim=-1)
        logits = self.model.logit_scale.exp() * embeddings @ texts.T
        target = same / same.sum(dim=1, keepdim=True)
        loss = nn.functional.cross_entropy
        contrast = (loss(logits, target) + loss(logits.T, target)) / 2
        distance = 1 - (embeddings * self.taught[batch]).sum(dim=1)
        return contrast + self.distillation * distance.mean()

    def words(self, templates: tuple) -> Tensor:
        """Return unit text embeddings (K, D) of the classes."""
        return encode_words(self.model, open_clip.SimpleTokenizer(), templates)

    def finish(self) -> dict:
        """Return the content of the file; the model is then the stored one, which is rounded."""
        visual = self.model.visual.state_dict()
        visual = {f'visual.{k}': v.half() if v.ndim > 1 else v.clone() for k, v in visual.items()}
        self.model.load_state_dict({k: v.float() for k, v in visual.items()}, strict=False)
        text = {k: v for k, v in self.file.weights.items() if not k.startswith('visual.')}
        return dict(
            arch=self.arch, state_dict=text | visual, token_embedding=self.file.token_embedding
        )


def encode_crops(visual: nn.Module, images: Tensor) -> Tensor:
    """Return image embeddings (B, D) of crops (B, 3, H, W), placed anywhere on the patch grid.

    Fewer patches are fewer tokens; a whole image has one place and is encoded as usual.
    """
    patches = visual.conv1(images)
    height, width = patches.shape[-2:]
    rows, columns = visual.grid_size
    top, left = (int(torch.randint(n + 1, ())) for n in (rows - height, columns - width))
    positions = visual.positional_embedding
    grid = positions[1:].unflatten(0, (rows, columns))
    grid = grid[top : top + height, left : left + width].flatten(0, 1)
    class_token = (visual.class_embedding + positions[0]).expand(len(images), 1, -1)
    tokens = torch.cat([class_token, patches.flatten(2).transpose(1, 2) + grid], dim=1)
    tokens = visual.transformer(visual.ln_pre(tokens))
    return visual.ln_post(tokens[:, 0]) @ visual.proj
