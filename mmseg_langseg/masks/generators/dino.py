"""Class-agnostic masks from DINO features, generated during training."""

from __future__ import annotations

from collections.abc import Sequence

import huggingface_hub
import timm
import torch
from huggingface_hub import constants
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from mmseg_langseg.fileio import host_obstacle, read_checkpoint
from mmseg_langseg.kmeans import batched_kmeans

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
_HUB_FILES = ('model.safetensors', 'pytorch_model.bin')


@MODELS.register_module()
class DINOMaskGenerator(nn.Module):
    """Class-agnostic masks by k-means clustering of a frozen DINO ViT's patch tokens.

    PixelCLIP, section 4.1 of the paper: DINO v1 ViT-S/16 on the weak view, 16 clusters per image.
    The masks of an image are disjoint and cover it; they differ in every epoch, as k-means starts
    from random points.

    Args:
        model_name: A timm vision transformer.
        num_clusters: Masks per image.
        pretrained: Load timm's public weights.
        checkpoint: Local file with weights (timm's or the original DINO's) to use instead.
        mean: RGB mean used to normalize the input images, on the 0..255 scale.
        std: Standard deviation, likewise.
        max_iterations: Maximum number of k-means updates.
        tolerance: k-means stops when its centroids move less (sum of squares).

    Raises:
        ValueError: timm does not know the model, or it is not a vision transformer.
        RuntimeError: The weights cannot be loaded or do not fit the model.
    """

    def __init__(
        self,
        model_name: str = 'vit_small_patch16_224.dino',
        num_clusters: int = 16,
        pretrained: bool = True,
        checkpoint: str | None = None,
        mean: Sequence[float] = (122.7709383, 116.7460125, 104.09373615),
        std: Sequence[float] = (68.5005327, 66.6321579, 70.3231630),
        max_iterations: int = 100,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__()
        self.num_clusters = num_clusters
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.vit = _build_vit(model_name, pretrained, checkpoint).requires_grad_(False).eval()
        # One affine map undoes the input normalization and applies ImageNet's.
        scale = torch.tensor(std) / torch.tensor(_IMAGENET_STD)
        shift = (torch.tensor(mean) - torch.tensor(_IMAGENET_MEAN)) / torch.tensor(_IMAGENET_STD)
        self.register_buffer('scale', scale.view(1, 3, 1, 1), persistent=False)
        self.register_buffer('shift', shift.view(1, 3, 1, 1), persistent=False)
        # Loaded weights are restored by the constructor, so checkpoints leave them out.
        self._rebuilt = pretrained or checkpoint is not None
        if self._rebuilt:
            self._register_state_dict_hook(_drop_vit)

    def train(self, mode: bool = True) -> DINOMaskGenerator:
        """Stay in eval mode regardless of ``mode``."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Segment every image into masks.

        Args:
            images: (B, 3, H, W) normalized with ``mean`` and ``std``; sides at least as large as
                a patch.
            size: Height and width (h, w) of the masks.

        Returns:
            bool (B, num_clusters, h, w), disjoint and covering the image.

        Raises:
            ValueError: The images have fewer patches than ``num_clusters``.
        """
        tokens, grid = self._patch_tokens(images)
        assignment, _ = batched_kmeans(
            tokens, self.num_clusters, self.max_iterations, self.tolerance
        )
        label_map = assignment.view(-1, 1, *grid).float()
        label_map = F.interpolate(label_map, size=size, mode='nearest')
        return label_map == torch.arange(self.num_clusters, device=images.device).view(1, -1, 1, 1)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Add the weights that checkpoints leave out, so they are not reported as missing."""
        if self._rebuilt:
            own = {f'{prefix}vit.{key}': value for key, value in self.vit.state_dict().items()}
            state_dict.update(own)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _patch_tokens(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the normalized last-layer patch tokens, (B, N, D), and grid (rows, columns)."""
        patch_height, patch_width = self.vit.patch_embed.patch_size
        height, width = images.shape[-2:]
        grid = (height // patch_height, width // patch_width)
        # timm requires sides that are multiples of the patch size: crop the rest at the border.
        images = images[..., : grid[0] * patch_height, : grid[1] * patch_width]
        tokens = self.vit.forward_features(images * self.scale + self.shift)
        return tokens[:, self.vit.num_prefix_tokens :], grid


def _build_vit(model_name: str, pretrained: bool, checkpoint: str | None) -> nn.Module:
    if not timm.is_model(model_name.split('.')[0]):
        near = timm.list_models('*dino*', pretrained=True)
        raise ValueError(f"timm does not know the model '{model_name}'; DINO models: {near}")
    source = f"file '{checkpoint}'" if checkpoint else 'public weights'
    if pretrained and checkpoint is None:
        _check_reachable(model_name)
    try:
        vit = timm.create_model(
            model_name,
            pretrained=pretrained and checkpoint is None,
            num_classes=0,
            dynamic_img_size=True,
        )
        if checkpoint is not None:
            vit.load_state_dict(_read_weights(checkpoint))
    except TypeError as error:
        raise ValueError(f"'{model_name}' is not a vision transformer of timm: {error}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"cannot load the {source} of '{model_name}': {error}; "
            "download the weights manually and set 'checkpoint' to the file"
        ) from error
    return vit


def _check_reachable(model_name: str) -> None:
    """Fail fast if the public weights are neither cached nor downloadable."""
    repository = getattr(timm.get_pretrained_cfg(model_name), 'hf_hub_id', None)
    if not repository:
        return
    cached = (huggingface_hub.try_to_load_from_cache(repository, file) for file in _HUB_FILES)
    if any(isinstance(path, str) for path in cached):
        return
    offline = 'HF_HUB_OFFLINE is set' if constants.HF_HUB_OFFLINE else None
    obstacle = offline or host_obstacle(constants.ENDPOINT)
    if obstacle:
        raise RuntimeError(
            f"The public weights of '{model_name}' are not on this machine and cannot be "
            f'downloaded: {obstacle}.\nFetch {constants.ENDPOINT}/{repository}/resolve/main/'
            f'{_HUB_FILES[0]} on another machine, put it anywhere on this one, and name it in '
            "'checkpoint': --options checkpoint=PATH of tools/generate_masks.py, checkpoint='PATH' "
            'in a config.'
        )


def _read_weights(path: str) -> dict[str, Tensor]:
    content = read_checkpoint(path)
    for key in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise ValueError(f'expected weights in the file, got {type(content).__name__}')
    return {key.removeprefix('module.'): value for key, value in content.items()}


def _drop_vit(module: nn.Module, state_dict: dict, prefix: str, _metadata: dict) -> None:
    for key in [key for key in state_dict if key.startswith(f'{prefix}vit.')]:
        del state_dict[key]
