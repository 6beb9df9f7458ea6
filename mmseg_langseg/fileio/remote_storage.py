"""Access to remote storage through fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import BadFileError, StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PROTOCOLS = (
    *('abfs', 'adl', 'az', 'gcs', 'gs', 'hdfs', 'hf', 'http', 'https', 'memory', 'oci', 'oss'),
    *('s3', 's3a', 'sftp', 'smb', 'ssh', 'tos', 'webdav', 'webhdfs'),
)
"""Protocols of fsspec that can read ranges."""


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


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Raise the errors of a storage, which have no common class, as :class:`StorageError`.

    Args:
        url: URL for the message.

    Raises:
        StorageError: The block has raised another error than BadFileError, FileNotFoundError,
            ImportError or MemoryError.
    """
    try:
        yield
    except (BadFileError, FileNotFoundError, ImportError, MemoryError):
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise StorageError(
            f"'{url}' cannot be read ({type(error).__name__}: {reason}); check the network, the "
            'credentials and the endpoint of the storage'
        ) from error
