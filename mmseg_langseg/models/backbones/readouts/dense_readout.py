"""Base class of dense read-outs: how patch features are taken from the last block of a ViT."""

from __future__ import annotations

from mmengine.registry import Registry
from torch import Tensor

from ..blocks import AttentionBlock

READOUTS = Registry('dense read-out', scope='mmseg')
"""Dense read-outs by name; every module of this folder is imported."""


class DenseReadout:
    """Dense read-out: maps the last block of a ViT and its input tokens to output tokens.

    The attention of that block pools the image for the class token and blurs the patch features;
    read-outs replace it (MaskCLIP, Zhou et al., ECCV 2022, Sec. 3.2). To add one, put a subclass
    into a file of this folder, registered in ``READOUTS`` under its name.

    Attributes:
        positions: How position embeddings are resized to another grid, see
            ``CLIPVisionTransformer``: ``'size'`` or ``'scale'``.
        needs_class_token: Whether it reads the class token, which some ViTs do not have.
        unused: Parts of the block that it leaves out, of ``'queries'``, ``'keys'`` and ``'mlp'``.
            They are not trained: distributed training needs a gradient for each trained parameter.
    """

    positions = 'size'
    needs_class_token = False
    unused: tuple[str, ...] = ()

    def __call__(self, block: AttentionBlock, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block.

        Args:
            block: The last block.
            tokens: Input of the block ``(B, P + h*w, C)``: P class and register tokens (1 in
                CLIP, 0 in SigLIP), then the patches.
            grid: (h, w).

        Returns:
            ``(B, P + h*w, C)``.
        """
        raise NotImplementedError


def build_readout(readout: str | dict) -> DenseReadout:
    """Build a read-out from its name, or a dict with the name as ``type`` and options.

    Raises:
        ValueError: If the name is unknown.
    """
    config = dict(type=readout) if isinstance(readout, str) else dict(readout)
    if not config.get('type') or config['type'] not in READOUTS:
        raise ValueError(
            f'readout={readout!r}: expected one of {sorted(READOUTS.module_dict)}, or a dict with '
            'one of them as type.'
        )
    return READOUTS.build(config)
