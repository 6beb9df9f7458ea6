"""MMEngine file backend for tar archives in remote storage."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from mmengine.fileio import register_backend

from .remote_storage import PROTOCOLS, file_system, request
from .remote_tar_index import RemoteTarIndex
from .tar_backend import TarBackend

_START = 'tar+'
_GAP = 2**16
"""Bytes between two files up to which one request reads both."""


@register_backend('remote_tar', prefixes=[_START + protocol for protocol in PROTOCOLS])
class RemoteTarBackend(TarBackend):
    """MMEngine file backend that reads files from uncompressed tars in a remote storage.

    ``tar+s3://bucket/sa1b/sa_000020.tar/sa_223750.jpg`` is an entry of a tar; with
    ``data_root='tar+s3://bucket/sa1b'`` a dataset reads all tars below this folder, as
    :class:`TarBackend` does on a local disk. Any protocol of fsspec that can read ranges works, see
    :class:`RemoteTarIndex` for the index. Each file takes one request; :meth:`prefetch` reads the
    files of a batch at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prefetched: dict[str, bytes] = {}

    def get(self, filepath: str) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: There is no such file.
            StorageError: The storage cannot be read.
            OSError: The tar is shorter than its index says.
        """
        found = self._prefetched.pop(str(filepath), None)
        return super().get(filepath) if found is None else found

    def prefetch(self, filepaths: Sequence[str]) -> None:
        """Read files concurrently, so that :meth:`get` needs no request for each of them.

        Neighbors in a tar, such as an image and its masks, are read by one request. A file is kept
        until it is read or files are prefetched again. Files that are in no tar or cannot be read
        are left to :meth:`get`, which reports errors.
        """
        # Imported only if needed, like fsspec itself.
        from fsspec.utils import merge_offset_ranges

        self._prefetched = {}
        places = {str(path): self._place(str(path)) for path in filepaths}
        places = {path: place for path, place in places.items() if place is not None}
        if not places:
            return
        urls, starts, ends = (list(column) for column in zip(*places.values(), strict=True))
        urls, starts, ends = merge_offset_ranges(urls, starts, ends, max_gap=_GAP)
        blocks = request(urls[0], 'cat_ranges', urls, starts, ends)
        for url, first, block in zip(urls, starts, blocks, strict=True):
            if not isinstance(block, bytes):
                continue
            for path, (tar, start, end) in places.items():
                if tar == url and first <= start and end <= first + len(block):
                    self._prefetched[path] = block[start - first : end - first]

    def _place(self, path: str) -> tuple[str, int, int] | None:
        """Return the tar of a file, and where its content starts and ends."""
        tar, name = self._split(path)
        if tar is None or name not in self._index(tar):
            return None
        start, end = self._index(tar).place(name)
        return (tar, start, end) if end > start else None

    def _clean(self, path: str) -> str:
        protocol, _, rest = path.removeprefix(_START).partition('://')
        return f'{protocol}://{posixpath.normpath(rest)}'

    def _read_file(self, path: str) -> bytes:
        return request(path, 'cat_file', path)

    def _is_file(self, path: str) -> bool:
        return self._kind(path) == 'file'

    def _is_folder(self, path: str) -> bool:
        return self._kind(path) == 'directory'

    def _kind(self, path: str) -> str | None:
        # fsspec's own isfile and isdir also return False if the storage cannot be read.
        try:
            return request(path, 'info', path)['type']
        except FileNotFoundError:
            return None

    def _walk(self, root: str) -> Iterator[str]:
        found = request(root, 'find', root)
        top = file_system(root)._strip_protocol(root).rstrip('/')
        names = sorted(name[len(top) :].lstrip('/') for name in found)
        for name in names:
            if name.startswith('.') or '/.' in name:
                continue
            if name.endswith('.tar'):
                inner = self._listed(f'{root.rstrip("/")}/{name}').names
                yield from (f'{name}/{file}' for file in inner)
            else:
                yield name

    def _open_index(self, tar: str) -> RemoteTarIndex:
        return RemoteTarIndex(tar)
