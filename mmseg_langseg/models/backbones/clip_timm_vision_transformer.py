"""Image towers with a ViT of timm (SigLIP, EVA, PE, MobileCLIP-B, ViTamin)."""

from __future__ import annotations

import inspect

import torch
from mmseg.registry import MODELS
from open_clip.timm_model import TimmModel
from timm.layers import Format, resample_abs_pos_embed
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from .blocks import TimmBlock
from .clip_tower import CLIPTower
from .readouts import build_readout


@MODELS.register_module()
class CLIPTimmVisionTransformer(CLIPTower):
    """A ViT of timm in an open_clip model as a dense tower: ``(B, 3, H, W) -> ((B, D, h, w),)``.

    The pooled path of these models reads a class token (EVA, MobileCLIP-B), the average of the
    patches (ViTamin), or pools by attention, with a projection and an MLP (SigLIP, PE). Here each
    patch goes through it alone: the softmax of an attention pool over one key is 1, so that pool
    becomes ``v + MLP(norm(v))`` of the projected value v. Positions are resized to any grid, by
    timm; rotary positions are computed for it.

    Args:
        arch: See :class:`CLIPTower`.
        pretrained: See :class:`CLIPTower`.
        readout: See :class:`CLIPVisionTransformer`. By default ``'value'`` for a ViT that reads a
            class token, whose patches no loss has trained, and ``'tokens'`` for others.
        trainable: See :class:`CLIPTower`.
        with_keys: Also return the keys of the last block (for MaskCLIP's key smoothing).
        with_cp: See :class:`CLIPTower`; of all blocks but the last.

    Raises:
        ValueError: If the trunk is no ViT of timm, or the read-out is unknown for it.
    """

    visual_type = TimmModel

    def __init__(
        self,
        arch: str | dict = 'ViT-B-16-SigLIP2',
        pretrained: str | None = None,
        readout: str | dict | None = None,
        trainable: str = 'none',
        with_keys: bool = False,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, pretrained, trainable, with_cp=with_cp, init_cfg=init_cfg)
        trunk = self.visual.trunk
        self.check_trunk(trunk, arch)
        self.readout = build_readout(readout or ('value' if self._reads_class else 'tokens'))
        if self.readout.needs_class_token and trunk.cls_token is None:
            raise ValueError(f'readout={readout!r} needs a class token, which {arch!r} has not.')
        self._freeze_unused(TimmBlock(trunk.blocks[-1]), self.readout)
        self.with_keys = with_keys
        _accept_any_size(trunk)
        with torch.no_grad():
            self.embed_dim = self._pool_alone(torch.zeros(1, 1, trunk.embed_dim)).shape[-1]

    @staticmethod
    def check_trunk(trunk: nn.Module, arch: str | dict) -> None:
        """Checks that the dense features of a trunk are known.

        Raises:
            ValueError: If they are not.
        """
        if not isinstance(trunk, (VisionTransformer, Eva)):
            raise ValueError(
                f'{arch!r} has a {type(trunk).__name__} as its trunk: its dense features are '
                'unknown. Known are the classes VisionTransformer and Eva of timm, and those that '
                'return feature maps (CLIPTimmTower).'
            )

    @property
    def _reads_class(self) -> bool:
        trunk = self.visual.trunk
        return trunk.attn_pool is None and trunk.global_pool == 'token'

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Computes dense features.

        Args:
            images: Normalized images ``(B, 3, H, W)``, each side at least one patch. Pixels after
                the last whole patch are not read, as in CLIP's own ViT.

        Returns:
            ``((B, D, h, w),)``, not normalized; with keys ``((B, C, h, w), (B, D, h, w))``.
        """
        trunk = self.visual.trunk
        grid, patch = self._grid(*images.shape[2:]), trunk.patch_embed.feat_ratio(as_scalar=False)
        images = images[:, :, : grid[0] * patch[0], : grid[1] * patch[1]]
        tokens = self._run_all_but_last(images)
        rope = getattr(trunk, 'rope', None)
        last = TimmBlock(trunk.blocks[-1], None if rope is None else rope.get_embed(shape=grid))
        out = trunk.norm(self.readout(last, tokens, grid)[:, trunk.num_prefix_tokens :])
        maps = [self._pool_alone(out)]
        if self.with_keys:
            maps.insert(0, last.keys(tokens)[:, trunk.num_prefix_tokens :])
        return tuple(m.transpose(1, 2).unflatten(2, grid) for m in maps)

    @torch.no_grad()
    def fix_input_size(self, height: int, width: int) -> None:
        """Makes a size of images the native one; see :class:`CLIPVisionTransformer`.

        Args:
            height: H of the images, in pixels.
            width: W.
        """
        trunk, grid = self.visual.trunk, self._grid(height, width)
        if trunk.pos_embed is not None:
            positions = resample_abs_pos_embed(
                trunk.pos_embed,
                new_size=list(grid),
                old_size=list(trunk.patch_embed.grid_size),
                num_prefix_tokens=0 if trunk.no_embed_class else trunk.num_prefix_tokens,
            )
            trunk.pos_embed = nn.Parameter(positions, requires_grad=False)
        trunk.patch_embed.grid_size = grid
        # Else timm before 1.0.31 resizes positions of their own size, unless it is square.
        trunk.dynamic_img_size, trunk.patch_embed.flatten = False, True
        _set_rotary_size(trunk, list(grid))

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        patch = self.visual.trunk.patch_embed.feat_ratio(as_scalar=False)
        return height // patch[0], width // patch[1]

    def _run_all_but_last(self, images: Tensor) -> Tensor:
        """Returns the input tokens of the last block, ``(B, P + h*w, C)``."""
        trunk = self.visual.trunk
        prefix = trunk.num_prefix_tokens > 0
        (tokens,) = trunk.forward_intermediates(
            images,
            indices=[len(trunk.blocks) - 2],
            return_prefix_tokens=prefix,
            stop_early=True,
            output_fmt='NLC',
            intermediates_only=True,
        )
        return torch.cat(tokens[::-1], 1) if prefix else tokens

    def _pool_alone(self, tokens: Tensor) -> Tensor:
        """Computes what pooling and heads give for each token alone, ``(B, N, C) -> (B, N, D)``."""
        trunk = self.visual.trunk
        if trunk.attn_pool is not None:
            tokens = trunk.attn_pool(tokens.flatten(0, 1)[:, None]).unflatten(0, tokens.shape[:2])
        return self.visual.head(trunk.head(trunk.head_drop(trunk.fc_norm(tokens))))


def _accept_any_size(trunk: nn.Module) -> None:
    """Lets a trunk that was built for one image size compute its positions in each forward pass."""
    trunk.dynamic_img_size = True
    patches = trunk.patch_embed
    patches.strict_img_size, patches.flatten, patches.output_fmt = False, False, Format.NHWC
    _set_rotary_size(trunk, None)


def _set_rotary_size(trunk: nn.Module, grid: list[int] | None) -> None:
    """Computes rotary positions, if any, in advance for a grid, or else in each forward pass."""
    rope = getattr(trunk, 'rope', None)
    if rope is not None:
        names = inspect.signature(type(rope)).parameters
        settings = {name: getattr(rope, name) for name in names if hasattr(rope, name)}
        trunk.rope = type(rope)(**{**settings, 'feat_shape': grid})
