"""Frozen CLIP teacher, excluded from training and from checkpoints."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn


class FrozenTower(nn.Module):
    """Frozen CLIP image tower: the teacher of CLIP-S⁴ and MaskCLIP+.

    The tower moves to the device of this module but is otherwise hidden: it is not in
    ``parameters()``, so in no optimizer and no distributed wrapper, always in evaluation mode, and
    rebuilt from its public weights instead of being saved. Only random weights (``pretrained`` is
    None), which could not be rebuilt, are part of a checkpoint.

    Args:
        tower: Config of a CLIP tower, such as ``CLIPVisionTransformer`` with
            ``readout='value'`` (MaskCLIP). Its ``trainable`` is ignored.
    """

    def __init__(self, tower: dict) -> None:
        super().__init__()
        built = MODELS.build({**tower, 'trainable': 'none'}).eval()
        # Not registered as a child module, which keeps it out of parameters() and modules().
        object.__setattr__(self, 'tower', built)
        self.embed_dim = built.embed_dim

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Computes dense features of images.

        Args:
            images: ``(B, 3, H, W)``, normalized.

        Returns:
            ``(B, D, h, w)`` float32 of norm 1 along D.
        """
        return F.normalize(self.tower(images)[-1].float(), dim=1)

    def _apply(self, function, recurse: bool = True) -> FrozenTower:
        """Moves the tower with the module (``to``, ``cuda``, ``half``...)."""
        self.tower._apply(function)
        return super()._apply(function)

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        """Adds what the tower itself saves: nothing, if its weights are public."""
        self.tower.state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, *args
    ) -> None:
        """Loads random weights; public ones stay as built."""
        own = {k[len(prefix) :]: v for k, v in state_dict.items() if k.startswith(prefix)}
        missing_keys.extend(prefix + key for key in self.tower.state_dict() if key not in own)
        if own:
            self.tower.load_state_dict(own, strict=False)
