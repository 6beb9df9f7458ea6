"""Gradio component for a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


def photo_input(**options: Any) -> gr.Image:
    """Return an image upload that passes on the file as it is, with its name.

    ``gr.Image`` itself decodes the file, and fetches one that is given by address. This is no
    subclass of it, for which gradio would write a file into this package.

    Args:
        **options: See ``gr.Image``.

    Returns:
        A component whose value is ``(file, name on the user's machine)``, or None.
    """
    photo = gr.Image(**options)
    move_file = photo.async_move_resource_to_block_cache

    async def move_no_address(url_or_file_path: str | Path | None) -> str | None:
        if str(url_or_file_path).lower().startswith(('http:', 'https:')):
            raise gr.Error('Photos are not fetched from addresses: upload a file.')
        return await move_file(url_or_file_path)

    photo.async_move_resource_to_block_cache = move_no_address
    photo.preprocess = _file_and_name
    return photo


def _file_and_name(payload: ImageData | None) -> tuple[str, str] | None:
    if payload is None or payload.path is None:
        return None
    name = (payload.orig_name or '').replace('\\', '/').rpartition('/')[2]
    return payload.path, name or Path(payload.path).name
