"""Gradio component for a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


def photo_input(**options: Any) -> gr.Image:
    """Return an image upload that passes on the file as it is, with its name.

    ``gr.Image`` itself decodes the file; mounted in a web application, it also accepts paths of the
    server and addresses of other hosts. This is no subclass of it, for which gradio would write a
    file into this package.

    Args:
        **options: See ``gr.Image``.

    Returns:
        A component whose value is ``(file, name on the user's machine)``, or None.
    """
    photo = gr.Image(**options)
    uploads = Path(photo.GRADIO_CACHE).resolve()
    move_file = photo.async_move_resource_to_block_cache

    def check_upload(path: str | Path) -> None:
        if not Path(path).resolve().is_relative_to(uploads):
            raise gr.Error('Expected an uploaded photo.', print_exception=False)

    async def move_upload(url_or_file_path: str | Path | None) -> str | None:
        if url_or_file_path is not None:
            check_upload(url_or_file_path)
        return await move_file(url_or_file_path)

    def file_and_name(payload: ImageData | None) -> tuple[str, str] | None:
        if payload is None or payload.path is None:
            return None
        check_upload(payload.path)
        name = (payload.orig_name or '').replace('\\', '/').rpartition('/')[2]
        return payload.path, name or Path(payload.path).name

    photo.async_move_resource_to_block_cache = move_upload
    photo.preprocess = file_and_name
    return photo
