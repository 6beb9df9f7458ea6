"""Files of a picture: the picture itself, a JSON file and a Markdown table of the same name."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from mmseg_langseg.fileio import check_not_input, write_whole_file

SUFFIXES = ('.png', '.jpg')


class ReportFiles:
    """Files ``NAME.png`` (or ``.jpg``), ``NAME.json`` and ``NAME.md``.

    Args:
        picture: Path of the picture.
        inputs: Files that are read, and must not be replaced.
        overwrite: Replace files that exist.

    Raises:
        FileExistsError: One of the files exists, and ``overwrite`` is off.
        ValueError: The suffix is not one of a picture, or a file is an input.
    """

    def __init__(
        self, picture: str | os.PathLike, inputs: Iterable[str | os.PathLike], overwrite: bool
    ) -> None:
        self.picture = Path(picture)
        if self.picture.suffix.lower() not in SUFFIXES:
            raise ValueError(f"the picture should be a .png or .jpg file, got '{picture}'")
        self.overwrite = overwrite
        self.record, self.table = (self.picture.with_suffix(s) for s in ('.json', '.md'))
        inputs = list(inputs)
        for path in (self.picture, self.record, self.table):
            check_not_input(path, inputs)
            if path.is_dir():
                raise IsADirectoryError(f"the output '{path}' is a folder; give another name")
            if os.path.lexists(path) and not overwrite:
                raise FileExistsError(f"'{path}' exists; give another name, or --overwrite")

    def write(self, picture: Image.Image, record: dict[str, Any], table: str) -> None:
        """Write the three files, each completely or not at all.

        Raises:
            OSError: The disk is full, the folder is not writable, ...
        """
        content = io.BytesIO()
        if self.picture.suffix.lower() == '.png':
            picture.save(content, format='PNG', optimize=True)
        else:
            picture.convert('RGB').save(content, format='JPEG', optimize=True, quality=85)
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        for path, data in (
            (self.record, f'{text}\n'.encode()),
            (self.table, table.encode()),
            (self.picture, content.getvalue()),
        ):
            write_whole_file(path, data, replace=self.overwrite)
