"""Base class of exporters to annotation formats, which leave out rejected pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from .exporter import Exporter
from .segmentation_result import SegmentationResult


class AnnotationExporter(Exporter):
    """Exporter whose format has unannotated pixels.

    Args:
        folder: Folder to write to.
        classes: Class names.
        overwrite: Replace files that exist.
        skip: Classes that are not annotated, by default the class ``'other'`` of rejected pixels.
            Names that are no class have no effect. Give ``()`` if ``'other'`` is a class of yours.

    Attributes:
        annotated: The remaining class names, in order.

    Raises:
        ValueError: See :class:`Exporter`, or no class remains.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str],
        overwrite: bool = False,
        skip: Sequence[str] = ('other',),
    ) -> None:
        super().__init__(folder, classes, overwrite)
        skipped = {skip} if isinstance(skip, str) else set(skip)
        self.annotated = tuple(name for name in self.classes if name not in skipped)
        if not self.annotated:
            raise ValueError(f'skip {sorted(skipped)} leaves none of the classes {self.classes}.')
        # Index into `annotated` by class index; -1: not annotated.
        index = {name: number for number, name in enumerate(self.annotated)}
        self._table = np.array([index.get(name, -1) for name in self.classes], np.int32)

    def settings(self) -> dict:
        """Return the settings that a resumed run must share, as values for JSON."""
        return dict(super().settings(), annotated=list(self.annotated))

    def annotated_labels(self, result: SegmentationResult) -> np.ndarray:
        """Return int32 ``(H, W)`` indices into ``annotated``; -1: not annotated."""
        return self._table[result.labels]
