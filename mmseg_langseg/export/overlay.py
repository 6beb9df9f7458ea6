"""Overlays as PNG files."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from .draw_overlay import draw_overlay
from .exporter import Exporter
from .segmentation_result import SegmentationResult


class OverlayExporter(Exporter):
    """Write ``overlays/NAME.png``, the image with class colors and a legend, for people to view.

    Args:
        folder: Folder to write to.
        classes: Class names.
        overwrite: Replace files that exist.
        opacity: Opacity of the class colors, 0 to 1.

    Raises:
        ValueError: See :class:`Exporter`, or ``opacity`` is not from 0 to 1.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str],
        overwrite: bool = False,
        opacity: float = 0.55,
    ) -> None:
        super().__init__(folder, classes, overwrite)
        if not 0 <= opacity <= 1:
            raise ValueError(f'opacity is {opacity}, expected a number from 0 to 1.')
        self.opacity = opacity

    @property
    def root(self) -> Path:
        """Folder of the overlays."""
        return self.folder / 'overlays'

    def settings(self) -> dict:
        """Return the settings that a resumed run must share, as values for JSON."""
        return dict(super().settings(), opacity=self.opacity)

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the PNG of an image."""
        content = io.BytesIO()
        draw_overlay(result, self.opacity).save(content, format='PNG')
        return content.getvalue()
