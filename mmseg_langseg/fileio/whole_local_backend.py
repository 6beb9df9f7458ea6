"""A local file backend of mmengine whose files are written completely or not at all."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .whole_file import write_whole_file


@register_backend('whole_local')
class WholeLocalBackend(LocalBackend):
    """Write each file under a temporary name, then rename it.

    Choose it with ``backend_args=dict(backend='whole_local')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; whatever stops the write, it has its old content or the new one.

        Raises:
            OSError: The disk is full, the folder not writable, ...; names the file.
        """
        write_whole_file(filepath, obj)
