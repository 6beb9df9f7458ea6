"""Web application of the page, which contacts no other host."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from fastapi import FastAPI, Request, Response

from .page import STYLE
from .photo import MAX_MEGABYTES

_POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self'"


def create_app(page: gr.Blocks) -> FastAPI:
    """Return the web application: the page alone, without the pages of its API.

    Args:
        page: The page.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware('http')
    async def protect(request: Request, call_next: Callable) -> Response:
        """Forbid the browser to contact other hosts, and do not fetch files from them."""
        if request.url.path.lower().partition('=')[2].startswith(('http:', 'https:')):
            return Response('Files of other hosts are not served.', status_code=403)
        response = await call_next(request)
        response.headers['Content-Security-Policy'] = _POLICY
        response.headers['Referrer-Policy'] = 'no-referrer'
        return response

    return gr.mount_gradio_app(
        app,
        page,
        path='/',
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        max_file_size=f'{MAX_MEGABYTES}mb',
        ssr_mode=False,
        mcp_server=False,
        theme=gr.themes.Default(),
        css=STYLE,
    )
