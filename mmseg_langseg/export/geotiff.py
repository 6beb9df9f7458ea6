"""Georeferenced label maps."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_langseg.fileio import contained_path, open_whole_file

from .class_colors import class_colors
from .exporter import Exporter, check_utf8
from .segmentation_result import SegmentationResult

_NARROW = 255


class GeoTIFFExporter(Exporter):
    """Write ``geotiff/NAME.tif``, label maps with the georeference of the input images.

    A pixel holds the index of its class, the class of rejected pixels included; ``classes`` in the
    file's tags lists the names. With up to 255 classes the files have 8 bits and a color table,
    with more 16 bits. CRS and affine transform, or ground control points, are copied from the input
    image; without them, the file has none. The extra ``geo`` installs rasterio, which is needed.

    Args:
        folder: Folder to write to.
        classes: Class names, at most 65535.
        overwrite: Replace files that exist.
        image_root: Folder of the input images, to which names are relative; None: the files have no
            georeference.

    Raises:
        ImportError: rasterio is not installed.
        ValueError: See :class:`Exporter`, or there are too many classes.
    """

    suffix = '.tif'

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str],
        overwrite: bool = False,
        image_root: str | os.PathLike | None = None,
    ) -> None:
        super().__init__(folder, classes, overwrite)
        self.image_root = image_root
        if len(self.classes) > np.iinfo(np.uint16).max:
            raise ValueError(f'{len(self.classes)} classes; 16 bits hold at most 65535.')
        _import_rasterio()

    @property
    def root(self) -> Path:
        """Folder of the files."""
        return self.folder / 'geotiff'

    def path(self, name: str) -> Path:
        """Return the file of an image.

        Raises:
            ValueError: The name is not valid, or GDAL cannot open it.
        """
        check_utf8(name, 'GDAL, which reads the georeference, cannot open')
        return super().path(name)

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the TIFF of an image.

        Raises:
            FileNotFoundError: The image is not in ``image_root``.
            ValueError: The image has another size than the result, so that its georeference does
                not apply.
        """
        rasterio = _import_rasterio()
        height, width = result.labels.shape
        narrow = len(self.classes) <= _NARROW
        profile = dict(
            driver='GTiff',
            height=height,
            width=width,
            count=1,
            dtype='uint8' if narrow else 'uint16',
            compress='deflate',
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
            profile.update(self._georeference(rasterio, name, result.labels.shape))
            with rasterio.MemoryFile() as memory:
                with memory.open(**profile) as file:
                    file.write(result.labels.astype(profile['dtype']), 1)
                    file.update_tags(classes=json.dumps(self.classes, ensure_ascii=False))
                    if narrow:
                        colors = class_colors(self.classes).tolist()
                        file.write_colormap(1, {i: (*c, 255) for i, c in enumerate(colors)})
                return memory.read()

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``geotiff/classes.txt``, one class name per line."""
        path = self.root / 'classes.txt'
        with open_whole_file(path, replace=self.overwrite) as file:
            file.write('\n'.join([*self.classes, '']).encode())
        return [path]

    def _georeference(self, rasterio: Any, name: str, size: tuple[int, int]) -> dict:
        if self.image_root is None:
            return {}
        path = contained_path(self.image_root, name, 'image name')
        if not path.is_file():
            raise FileNotFoundError(f"the input image '{path}' does not exist; check image_root.")
        try:
            source = rasterio.open(path)
        except rasterio.errors.RasterioIOError:
            return {}  # An image format without georeferences that GDAL does not read.
        with source:
            points, points_crs = source.gcps
            if points:
                found = dict(gcps=points, crs=points_crs)
            elif source.crs is None and source.transform.is_identity:
                return {}
            else:
                found = dict(transform=source.transform, crs=source.crs)
            if (source.height, source.width) != size:
                raise ValueError(
                    f"'{path}' has {source.width}x{source.height} pixels, its result "
                    f'{size[1]}x{size[0]}; a georeferenced image must be segmented at its own size.'
                )
        return found


def _import_rasterio() -> Any:
    try:
        import rasterio
        import rasterio.errors
    except ImportError as error:
        raise ImportError(
            "GeoTIFF export needs rasterio; install it with: pip install 'mmseg_langseg[geo]'"
        ) from error
    return rasterio
