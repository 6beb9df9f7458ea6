"""Access to remote storage through fsspec."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .errors import StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PROTOCOLS = (
    *('abfs', 'adl', 'az', 'gcs', 'gs', 'hdfs', 'hf', 'http', 'https', 'memory', 'oci', 'oss'),
    *('s3', 's3a', 'sftp', 'smb', 'ssh', 'tos', 'webdav', 'webhdfs'),
)
"""Protocols of fsspec that can read ranges."""

PATIENCE = 300
"""Seconds to wait for the answer to a request, with the repetitions of the storage's package."""
LISTING_PATIENCE = 3600
"""Seconds to wait for the list of all files, which takes many requests."""


def file_system(url: str) -> AbstractFileSystem:
    """Return fsspec's file system of a URL.

    fsspec keeps one instance per protocol and process: call this for each read, not once before a
    fork. Options such as the endpoint come from fsspec's own configuration or the environment
    variables of the service.

    Raises:
        ImportError: The protocol's package is not installed.
        ValueError: fsspec does not know the protocol.
    """
    import fsspec

    protocol = url.partition('://')[0]
    try:
        return fsspec.filesystem(protocol)
    except ImportError as error:
        raise ImportError(
            f"reading '{url}' needs another package ({error}); pip install 'mmseg_langseg[cloud]' "
            'installs those for s3:// and gs://'
        ) from error


def request(url: str, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of a URL's file system, with a limit of time where fsspec has one.

    Some packages wait forever for a storage that has stopped answering.

    Args:
        url: URL for the protocol and the message.
        method: Name of the method: cat_file, cat_ranges, info or find.
        *args: Its arguments.
        **kwargs: Its arguments.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The protocol's package is not installed.
        StorageError: The storage cannot be read, or does not answer within ``PATIENCE`` seconds
            (``LISTING_PATIENCE`` for find). The errors of storages have no common class.
    """
    try:
        return _call(file_system(url), method, args, kwargs)
    except (FileNotFoundError, ImportError, MemoryError):
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise StorageError(
            f"'{url}' cannot be read ({type(error).__name__}: {reason}); check the network, the "
            'credentials and the endpoint of the storage'
        ) from error


def _call(system: AbstractFileSystem, method: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    from fsspec.asyn import AsyncFileSystem, sync

    if not isinstance(system, AsyncFileSystem):
        return getattr(system, method)(*args, **kwargs)
    seconds = LISTING_PATIENCE if method == 'find' else PATIENCE
    try:
        return sync(system.loop, getattr(system, f'_{method}'), *args, timeout=seconds, **kwargs)
    except asyncio.TimeoutError as error:
        raise TimeoutError(f'no answer within {seconds} s') from error
