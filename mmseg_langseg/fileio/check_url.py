"""Check of the URLs that datasets are read from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mmengine.fileio.backends import prefix_to_backends

from .remote_storage import PROTOCOLS

# MMEngine's backends cannot list folders over HTTP; the others need petrel_client.
_HTTP = ('http', 'https')
_PETREL = ('petrel', 's3')


def check_url(path: str | Path) -> None:
    """Check that a path is a local one or a URL with a scheme that data can be read with.

    Args:
        path: Folder or file; anything before ``://`` is the scheme.

    Raises:
        ValueError: Data cannot be read with the scheme; the message names those that they can be.
    """
    url = str(path)
    scheme, separator, _ = url.partition('://')
    # A scheme may have the name of a cluster before it.
    if not separator or _has_backend(scheme.rpartition(':')[2]):
        return
    if scheme in PROTOCOLS:
        raise ValueError(
            f"'{url}' cannot be read; for a remote storage, put tar+ before the URL: "
            f"'tar+{url}' reads files and uncompressed tars"
        )
    raise ValueError(
        f"'{url}' has the unknown scheme '{scheme}'; expected a local path, tar://FOLDER, or "
        f'tar+SCHEME://... with one of {", ".join(PROTOCOLS)} '
        "(pip install 'mmseg_langseg[cloud]' for s3 and gs, adlfs for az and abfs)"
    )


def _has_backend(scheme: str) -> bool:
    if scheme in _PETREL:
        return find_spec('petrel_client') is not None
    return scheme in prefix_to_backends and scheme not in _HTTP
