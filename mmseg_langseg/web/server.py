"""Local web server of the page."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene

from .model_pool import ModelPool
from .segment_photo import PhotoSegmenter

EXAMPLE_MODEL = 'embedded'
_EXAMPLE_SCENES = (203, 294, 3)
_EXAMPLE_SIDE = 96


def serve(
    loaders: Mapping[str, Callable[[], LangSegInferencer]],
    descriptions: Mapping[str, str],
    model: str,
    listener: socket.socket,
) -> None:
    """Serve the page until the process is interrupted.

    Uploads and results are in a temporary folder, which is removed at the end.

    Args:
        loaders: Functions that load a model, by its name; ``embedded`` is that of the examples.
        descriptions: What the page says about each model, by name.
        model: Name of the model that is selected first.
        listener: See :func:`~mmseg_langseg.web.listen.listen`.
    """
    with listener, _temporary_folder() as name:
        folder = Path(name)
        # Leaves the folder; the server passes the signal on after it has stopped.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        # Gradio reads these when it is imported; it uses no other folder.
        os.environ.update(
            GRADIO_ANALYTICS_ENABLED='False',
            GRADIO_TEMP_DIR=str(folder),
            GRADIO_EXAMPLES_CACHE=str(folder),
        )
        import uvicorn

        from .app import create_app
        from .page import build_page

        segmenter = PhotoSegmenter(ModelPool(loaders), folder)
        page = build_page(segmenter, descriptions, model, _examples(folder))
        config = uvicorn.Config(create_app(page), log_level='critical', timeout_graceful_shutdown=1)
        host, port = listener.getsockname()[:2]
        print(f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}', flush=True)
        uvicorn.Server(config).run([listener])


def _temporary_folder() -> tempfile.TemporaryDirectory:
    # A photo that is being segmented at the end may still write to the folder.
    return tempfile.TemporaryDirectory(prefix='langseg_', ignore_cleanup_errors=True)


def _examples(folder: Path) -> list[tuple[str, str, str]]:
    """Render the example photos; the texts are their classes."""
    examples = []
    for index in _EXAMPLE_SCENES:
        scene = render_scene('test', index, _EXAMPLE_SIDE)
        path = folder / f'example_{index}.png'
        Image.fromarray(scene.image).save(path)
        texts = '; '.join(CLASSES[label] for label in sorted(set(scene.labels.ravel().tolist())))
        examples.append((str(path), texts, EXAMPLE_MODEL))
    return examples
