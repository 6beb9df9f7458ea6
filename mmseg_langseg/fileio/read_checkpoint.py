"""Read the files of ``torch.save`` as data: nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, BinaryIO

import torch

from .data_unpickler import data_unpickler
from .pickled_values import RefusedGlobalError
from .torchscript_archive import check_packing, check_sums, read_torchscript_tensors

_ZIP = b'PK\x03\x04'
_PICKLE = b'\x80'
_trusted: ContextVar[frozenset[str]] = ContextVar('trusted', default=frozenset())


def read_checkpoint(
    path: str | os.PathLike,
    map_location: str | torch.device | Callable | None = 'cpu',
    mmap: bool = False,
) -> Any:
    """Read a checkpoint or weight file without running what it holds.

    Tensors, plain Python values, NumPy arrays and scalars, and MMEngine's logs are read. Of a
    TorchScript archive the tensors are read, by their names in the state dict; its program is not
    looked at. Any other class or function in the file is refused, unless the file is read inside
    :func:`trusted_checkpoint`.

    Args:
        path: File of ``torch.save`` in the current or the legacy format, TorchScript archive, or
            ``.safetensors`` file.
        map_location: See ``torch.load``.
        mmap: Leave the values on the disk until they are used; files in the current format only.

    Returns:
        What was saved, usually a dict.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is incomplete or damaged, is no checkpoint, or holds more than data.
    """
    path = os.path.expanduser(os.fspath(path))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no checkpoint file '{path}'.")
    try:
        return _read(path, map_location, mmap)
    except RefusedGlobalError as error:
        raise ValueError(
            f"'{path}' holds '{str(error)[:200]}', which is more than tensors and plain values. "
            'It was not run. Save the state dict alone; or, if you made this file yourself and '
            'load it as a checkpoint, allow it with --trust-checkpoint (in Python '
            'trust_checkpoint=True): a trusted file can run any command.'
        ) from error
    except (FileNotFoundError, PermissionError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:  # torch has many classes for a broken file
        raise ValueError(_describe_broken(path, error)) from error


@contextmanager
def trusted_checkpoint(path: str | os.PathLike | None) -> Iterator[None]:
    """Let one file be unpickled with all that it holds, which can run any command.

    Args:
        path: File that the caller made; None trusts no file.
    """
    if path is None:
        yield
        return
    token = _trusted.set(_trusted.get() | {_real(path)})
    try:
        yield
    finally:
        _trusted.reset(token)


def _real(path: str | os.PathLike) -> str:
    return os.path.realpath(os.path.expanduser(os.fspath(path)))


def _read(path: str, map_location: Any, mmap: bool) -> Any:
    if path.endswith('.safetensors'):
        from safetensors.torch import load_file

        return load_file(path)
    with open(path, 'rb') as file:
        start = file.read(len(_ZIP))
        file.seek(0)
        zipped = start == _ZIP
        trusted = _real(path) in _trusted.get()
        if zipped:
            with zipfile.ZipFile(file) as archive:
                if not trusted:
                    check_packing(archive)
                check_sums(archive)
            file.seek(0)
        # Asked with torch's own reader: torch.load hands TorchScript archives to torch.jit.load.
        if zipped and 'constants.pkl' in torch._C.PyTorchFileReader(file).get_all_records():
            return read_torchscript_tensors(path)
        if not zipped and not start.startswith(_PICKLE):
            raise ValueError('not a file of torch.save')
        file.seek(0)
        if trusted:
            return torch.load(file, map_location=map_location, weights_only=False)
        return _load_data(path, file, zipped, map_location, mmap)


def _load_data(path: str, file: BinaryIO, zipped: bool, map_location: Any, mmap: bool) -> Any:
    """``torch.load`` with an unpickler that knows data only.

    torch's own ``weights_only=True`` knows neither NumPy nor MMEngine before torch 2.4, and its
    list of additions is global to the process.
    """
    source: Any = file
    read_record = None
    if zipped and not mmap:  # which cuts a storage out of the file, so its size cannot lie
        read_record = torch._C.PyTorchFileReader(file).get_record
        file.seek(0)
    if not zipped:
        # The legacy format opens a real file as a tar first, and unpacks it.
        source, mmap = io.BytesIO(file.read()), False
    elif mmap:
        source = path
    unpickler = data_unpickler(read_record)
    module = SimpleNamespace(
        __name__='data_unpickler',
        Unpickler=unpickler,
        load=lambda file, **kwargs: unpickler(file, **kwargs).load(),
    )
    with warnings.catch_warnings():
        # Deprecated storage classes, which old files name.
        warnings.simplefilter('ignore', UserWarning)
        return torch.load(
            source, map_location=map_location, pickle_module=module, weights_only=False, mmap=mmap
        )


def _describe_broken(path: str, error: Exception) -> str:
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(16)
    if not size:
        return f"'{path}' is an empty file, no checkpoint; copy or download it again."
    if start.startswith(_ZIP):
        problem = f'is no whole checkpoint ({size} bytes): cut off or damaged'
    elif start.startswith(_PICKLE) and not isinstance(error, pickle.UnpicklingError):
        problem = f'is no whole checkpoint ({size} bytes): cut off, damaged or of another program'
    else:
        problem = f'is no checkpoint: it begins with {start!r}, expected a file of torch.save'
    reason = (str(error).splitlines() or [''])[0][:200]
    return f"'{path}' {problem}; copy or download it again ({type(error).__name__}: {reason})."
