"""Fixed text embeddings of given names as cluster centers (ablation)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from .open_clip_text_encoder import OpenCLIPTextEncoder
from .vocabulary import Vocabulary


@MODELS.register_module()
class FixedNames(nn.Module):
    """Frozen text embeddings of given names: PixelCLIP's ablation without learnable prompts.

    Args:
        text_encoder: Encodes the names once; not stored.
        names: What :meth:`Vocabulary.parse` takes: a list, a string, or the path of a JSON file.
        templates: See :func:`get_templates`.

    Raises:
        ValueError: If the names have background words, which are not clusters.
    """

    def __init__(
        self,
        text_encoder: OpenCLIPTextEncoder,
        names: Vocabulary | str | os.PathLike | Sequence[str],
        templates: str | Sequence[str] = 'single',
    ) -> None:
        super().__init__()
        vocabulary = Vocabulary.parse(names)
        if vocabulary.background:
            raise ValueError('FixedNames: every name is a cluster, so give no background words.')
        self.num_clusters = vocabulary.num_classes
        rows = text_encoder.encode_vocabulary(vocabulary, templates)
        self.register_buffer('embeddings', rows, persistent=False)

    def forward(self, text_encoder: OpenCLIPTextEncoder | None = None) -> Tensor:
        """Returns the embeddings ``(K, D)`` float32, unit rows."""
        return self.embeddings.float()
