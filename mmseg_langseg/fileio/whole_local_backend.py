"""MMEngine local file backend with atomic writes."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .whole_file import write_whole_file


@register_backend('whole_local')
class WholeLocalBackend(LocalBackend):
    """MMEngine local file backend that writes files atomically.

    Choose it with ``backend_args=dict(backend='whole_local')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file atomically; if interrupted, it has either its old or its new content.

        Raises:
            OSError: The disk is full, the folder is not writable, ...; the message names the file.
        """
        write_whole_file(filepath, obj)
