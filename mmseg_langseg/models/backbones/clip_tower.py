"""Base class of image towers: loading, freezing, and checkpoints of trained weights only."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmseg_langseg.models.clip_loader import load_clip

from .blocks import AttentionBlock
from .readouts import DenseReadout

_ATTENTION = ('attn', 'position', 'pos_embed')
TRAINABLE = ('none', 'attention', 'all')


class CLIPTower(BaseModule):
    """Image tower of a CLIP model as an MMSegmentation backbone.

    Subclasses implement :meth:`forward`, which maps images ``(B, 3, H, W)`` to a one-element tuple
    of dense features ``(B, D, h, w)`` in the joint image-text space (not normalized). The open_clip
    module keeps its own parameter names under ``visual.``, so public weights load unchanged.

    A checkpoint of this module holds only what training changes. Frozen public weights are rebuilt
    from their source; if ``pretrained`` is None (random weights), everything is stored.

    Args:
        arch: See :func:`~mmseg_langseg.models.load_clip`.
        pretrained: See there; None for random weights.
        trainable: ``'none'``, ``'attention'`` (parameters whose name contains ``attn``,
            ``position`` or ``pos_embed``, as official PixelCLIP trains a ViT) or ``'all'``.
        norm_eval: Keep batch normalization layers in evaluation mode during training.
        with_cp: Use activation checkpointing in training: less memory, as the activations within
            the blocks are computed again in the backward pass. The gradients are the same.

    Raises:
        ValueError: If ``trainable`` is unknown or matches nothing, the tower's type does not
            match the subclass, or it does not support ``with_cp``.
    """

    visual_type: type[nn.Module]

    def __init__(
        self,
        arch: str | dict,
        pretrained: str | None = None,
        trainable: str = 'none',
        norm_eval: bool = True,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if trainable not in TRAINABLE:
            raise ValueError(f'trainable={trainable!r}: expected one of {TRAINABLE}.')
        clip = load_clip(arch, pretrained)
        if not isinstance(clip.visual, self.visual_type):
            raise ValueError(
                f'{type(self).__name__} cannot hold {arch!r}: its image tower is a '
                f'{type(clip.visual).__name__}, expected {self.visual_type.__name__}. Use '
                "type='CLIPImageTower', which takes the class of the model."
            )
        self.visual = clip.visual
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.pretrained = pretrained
        self._checkpoint_activations(self.training)
        self._set_trainable(trainable)
        self._register_state_dict_hook(_drop_public_weights)

    def _set_trainable(self, trainable: str) -> None:
        trained = set()
        for name, parameter in self.named_parameters():
            learns = trainable == 'all' or (
                trainable == 'attention' and any(part in name for part in _ATTENTION)
            )
            parameter.requires_grad_(learns)
            if learns:
                trained.add(name)
        if trainable == 'attention' and not trained:
            raise ValueError(
                f"trainable='attention': the tower {type(self.visual).__name__} has no attention; "
                "use 'all' or 'none'."
            )
        if trainable == 'all':
            trained.update(name for name, _ in self.named_buffers())
        # Stored, not read from requires_grad later: in a momentum copy it is always False.
        self.trained_names = frozenset(trained)

    def _freeze_unused(self, block: AttentionBlock, readout: DenseReadout) -> None:
        """Freezes the parts of the last block that a read-out leaves out."""
        unused = {id(p) for part in readout.unused for p in block.parameters(part)}
        names = {name for name, p in self.named_parameters() if id(p) in unused}
        for name in names:
            self.get_parameter(name).requires_grad_(False)
        self.trained_names -= names

    def _checkpoint_activations(self, training: bool) -> None:
        if not self.with_cp:
            return
        trunk = getattr(self.visual, 'trunk', self.visual)  # timm's own says what it cannot do
        try:
            trunk.set_grad_checkpointing(training)
        except AssertionError as error:
            raise ValueError(f'with_cp=True: {type(trunk).__name__} has no checkpoints.') from error

    def train(self, mode: bool = True) -> CLIPTower:
        """Sets the mode; batch normalization stays in evaluation mode if ``norm_eval``."""
        super().train(mode)
        self._checkpoint_activations(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Maps images ``(B, 3, H, W)`` to ``((B, D, h, w),)``."""
        raise NotImplementedError

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        """Checks the architecture and fills in the public weights that a checkpoint leaves out."""
        own = {prefix + name: value for name, value in self._own_tensors().items()}
        given = {key: value for key, value in state_dict.items() if key.startswith(prefix)}
        if given:
            self._check_architecture(given, own)
        for key, value in own.items():
            if self.pretrained is not None and key[len(prefix) :] not in self.trained_names:
                state_dict.setdefault(key, value)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _own_tensors(self) -> dict[str, Tensor]:
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def _check_architecture(self, given: dict[str, Tensor], own: dict[str, Tensor]) -> None:
        unknown = [key for key in given if key not in own]
        wrong = [
            f'{key}: {tuple(given[key].shape)}, expected {tuple(own[key].shape)}'
            for key in given
            if key in own and given[key].shape != own[key].shape
        ]
        if unknown or wrong:
            shown = [f'{key}: not in this tower' for key in unknown[:3]] + wrong[:3]
            raise ValueError(
                f'The checkpoint belongs to another architecture than this '
                f'{type(self).__name__} ({len(unknown)} unknown and {len(wrong)} misshapen '
                f'tensors): {"; ".join(shown)}. Use the config that it was trained with.'
            )


def _drop_public_weights(
    module: CLIPTower, state_dict: dict[str, Tensor], prefix: str, local_metadata: dict
) -> None:
    """State-dict hook: removes weights that can be rebuilt from the public ones."""
    if module.pretrained is None:
        return
    for key in [key for key in state_dict if key.startswith(prefix)]:
        if key[len(prefix) :] not in module.trained_names:
            del state_dict[key]


def project_tokens(tokens: Tensor, projection: Tensor | None) -> Tensor:
    """Projects tokens ``(..., C)`` by an optional ``(C, D)`` matrix."""
    return tokens if projection is None else torch.matmul(tokens, projection)
