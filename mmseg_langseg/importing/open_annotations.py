"""Open an annotation file of any supported format."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from .coco import COCOImporter
from .cvat import CVATImporter
from .importer import Importer


def open_annotations(path: str | os.PathLike) -> Importer:
    """Open an annotation file: a zip is CVAT's "Segmentation mask 1.1", any other file COCO JSON.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        OSError: It cannot be read.
        ValueError: See :class:`COCOImporter` and :class:`CVATImporter`.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a folder; give a COCO JSON file or a zip of CVAT.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no annotation file '{path}'.")
    is_zip = zipfile.is_zipfile(path) or path.suffix.lower() == '.zip'
    return CVATImporter(path) if is_zip else COCOImporter(path)
