"""CVAT's format "Segmentation mask 1.1"."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .class_colors import class_colors
from .exporter import Exporter
from .segmentation_result import SegmentationResult


class CVATExporter(Exporter):
    """Write ``cvat.zip``, which CVAT imports as "Segmentation mask 1.1".

    The zip holds ``labelmap.txt`` with the class colors, a color PNG per image in
    ``SegmentationClass``, and the list of images. The PNGs are kept in ``cvat/``.
    """

    @property
    def root(self) -> Path:
        """Folder of the color images."""
        return self.folder / 'cvat'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the color PNG of an image."""
        content = io.BytesIO()
        colors = class_colors(self.classes)
        Image.fromarray(colors[result.labels]).save(content, format='PNG')
        return content.getvalue()

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Assemble ``cvat.zip``."""
        for name in self.classes:
            if ':' in name or '#' in name or '\n' in name:
                raise ValueError(
                    f"CVAT's label map cannot hold the class name {name!r}; rename it without "
                    "':', '#' and line breaks."
                )
        stems = [str(PurePosixPath(name).with_suffix('')) for name in names]
        colors = [('background', np.zeros(3, int)), *zip(self.classes, class_colors(self.classes))]
        rows = [f'{name}:{",".join(map(str, color))}::' for name, color in colors]
        path = self.folder / 'cvat.zip'
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix='cvat.zip.', suffix='.tmp')
        try:
            with os.fdopen(handle, 'wb') as file, zipfile.ZipFile(file, 'w') as archive:
                archive.writestr(
                    'labelmap.txt', '\n'.join(['# label:color_rgb:parts:actions', *rows, ''])
                )
                archive.writestr('ImageSets/Segmentation/default.txt', '\n'.join([*stems, '']))
                for name, stem in zip(names, stems, strict=True):
                    archive.write(self.path(name), f'SegmentationClass/{stem}.png')
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return [path]
