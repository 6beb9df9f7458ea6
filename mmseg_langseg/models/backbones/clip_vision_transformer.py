"""CLIP's vision transformer (ViT) as a dense feature extractor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .blocks import OpenCLIPBlock
from .clip_tower import CLIPTower, project_tokens
from .readouts import build_readout


@MODELS.register_module()
class CLIPVisionTransformer(CLIPTower):
    """Any ViT of open_clip's own as a dense tower: ``(B, 3, H, W) -> ((B, D, H//p, W//p),)``.

    A ViT that pools by attention (CoCa) gives for each patch what its pool gives for that patch
    alone. For ViTs of timm (SigLIP, EVA, PE) see :class:`CLIPTimmVisionTransformer`.

    Position embeddings are resized to the grid of the input in every forward pass, so any aspect
    ratio works and the stored parameter keeps its shape: bicubic, by size (MaskCLIP, PixelCLIP) or
    by a scale factor (SCLIP, ClearCLIP, NACLIP), as the read-out says.

    Args:
        arch: See :class:`CLIPTower`.
        pretrained: See :class:`CLIPTower`.
        readout: How patch features are extracted from the last block: ``'tokens'`` (plain),
            ``'value'`` (MaskCLIP), ``'value_cls'`` (PixelCLIP), ``'sclip'``, ``'clearclip'``,
            ``'naclip'``, or ``dict(type='naclip', std=3.0)`` with options; see ``READOUTS``.
        trainable: See :class:`CLIPTower`.
        with_keys: Also return the keys of the last block (for MaskCLIP's key smoothing).
        with_cp: See :class:`CLIPTower`; of all blocks but the last.

    Raises:
        ValueError: If ``readout`` is unknown, or the ViT pools by attention twice.
    """

    visual_type = VisionTransformer

    def __init__(
        self,
        arch: str | dict = 'ViT-B-16-quickgelu',
        pretrained: str | None = None,
        readout: str | dict = 'value_cls',
        trainable: str = 'none',
        with_keys: bool = False,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        self.readout = build_readout(readout)
        super().__init__(arch, pretrained, trainable, with_cp=with_cp, init_cfg=init_cfg)
        if getattr(self.visual, 'attn_pool_contrastive', None) is not None:
            raise ValueError(f'{arch!r} pools by attention twice: its dense features are unknown.')
        last = OpenCLIPBlock(self.visual.transformer.resblocks[-1])
        self._freeze_unused(last, self.readout)
        self.with_keys = with_keys
        self.embed_dim = int(self.visual.output_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Computes dense features.

        Args:
            images: Normalized images ``(B, 3, H, W)``, each side at least one patch.

        Returns:
            ``((B, D, h, w),)``, not normalized; with keys ``((B, C, h, w), (B, D, h, w))``.
        """
        visual = self.visual
        patches = visual.conv1(images)
        height, width = patches.shape[-2:]
        tokens = self._embed(patches)
        *blocks, last = map(OpenCLIPBlock, visual.transformer.resblocks)
        for block in blocks:
            if visual.transformer.grad_checkpointing:
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
        out = self.readout(last, tokens, (height, width))[:, 1:]
        if visual.attn_pool is not None:
            out = pool_alone(visual.attn_pool, out)
        maps = [project_tokens(visual.ln_post(out), visual.proj)]
        if self.with_keys:
            maps.insert(0, last.keys(tokens)[:, 1:])
        return tuple(m.transpose(1, 2).unflatten(2, (height, width)) for m in maps)

    def _embed(self, patches: Tensor) -> Tensor:
        """Adds class token and positions: ``(B, C, h, w) -> (B, 1 + h*w, C)``."""
        visual = self.visual
        tokens = patches.flatten(2).transpose(1, 2)
        class_token = visual.class_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        tokens = torch.cat([class_token, tokens], dim=1)
        tokens = tokens + self.positions(*patches.shape[-2:]).to(tokens.dtype)
        return visual.ln_pre(tokens)

    def positions(self, height: int, width: int) -> Tensor:
        """Resizes the position embedding to ``(1 + h*w, C)`` for height x width patches.

        By size, as MaskCLIP and PixelCLIP do, or by scale, as SCLIP, ClearCLIP and NACLIP do: with
        the factors ``(h + 0.1) / n``, and not at all if the number of patches is the native one.
        """
        embedding = self.visual.positional_embedding
        native = tuple(self.visual.grid_size)
        by_scale = self.readout.positions == 'scale'
        if (height, width) == native or (by_scale and height * width == native[0] * native[1]):
            return embedding
        target: dict = dict(size=(height, width))
        if by_scale:
            factors = (height + 0.1) / native[0], (width + 0.1) / native[1]
            target = dict(scale_factor=factors)
        grid = embedding[1:].T.unflatten(1, native)[None]
        grid = F.interpolate(grid, **target, mode='bicubic', align_corners=False)
        return torch.cat([embedding[:1], grid[0].flatten(1).T])

    @torch.no_grad()
    def fix_input_size(self, height: int, width: int) -> None:
        """Makes a size of images the native one, whose position embeddings are stored.

        They are then not resized in every forward pass, which export formats cannot represent.

        Args:
            height: H of the images, in pixels.
            width: W.
        """
        patch_height, patch_width = self.visual.patch_size
        grid = height // patch_height, width // patch_width
        self.visual.positional_embedding = nn.Parameter(self.positions(*grid), requires_grad=False)
        self.visual.grid_size = grid


def pool_alone(pool: nn.Module, tokens: Tensor) -> Tensor:
    """Compute what an ``AttentionalPooler`` of open_clip gives for each token alone.

    The softmax over one key is 1, so the queries do not matter: ``(B, N, C) -> (B, N, D)``.
    """
    attention = pool.attn
    if attention.in_proj_weight is None:  # keys and values have another width than queries
        weight = attention.v_proj_weight
    else:
        weight = attention.in_proj_weight.chunk(3)[2]
    values = F.linear(pool.ln_k(tokens), weight, attention.in_proj_bias.chunk(3)[2])
    return attention.out_proj(values)
