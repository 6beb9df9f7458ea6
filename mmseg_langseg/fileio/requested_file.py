"""A file in a remote storage, which is read in blocks."""

from fsspec.spec import AbstractBufferedFile

from .remote_storage import request


class RequestedFile(AbstractBufferedFile):
    """File of fsspec that reads ahead, each block by a :func:`request` with its limit of time."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return request(self.path, 'cat_file', self.path, start=start, end=end)
