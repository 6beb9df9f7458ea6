"""A model that may be used on the photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ZERO_SHOT = 'zero-shot'


@dataclass(frozen=True)
class Candidate:
    """Model that is compared with zero-shot CLIP.

    Attributes:
        name: Name in tables and of its files.
        weights: Checkpoint; None: the untrained model.
        cfg_options: Dotted keys and values that override the config.
    """

    name: str
    weights: str | None = None
    cfg_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_stem(self) -> str:
        """Name for files."""
        return self.name.replace(',', '').replace(' ', '_')
