"""Safe loading of checkpoints: nothing in the file is executed."""

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
_FORCED = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_trusted: ContextVar[frozenset[str]] = ContextVar('trusted', default=frozenset())


def read_checkpoint(
    path: str | os.PathLike,
    map_location: str | torch.device | Callable | None = 'cpu',
    mmap: bool = False,
) -> Any:
    """Load a checkpoint or weight file without executing anything in it.

    Tensors, plain Python values, NumPy arrays and scalars, and MMEngine's logs are loaded. From a
    TorchScript archive, the tensors are loaded by their names in the state dict; its code is
    ignored. Any other class or function in the file is refused, unless the file is read inside
    :func:`trusted_checkpoint`.

    Args:
        path: ``torch.save`` file in the current or the legacy format, TorchScript archive, or
            ``.safetensors`` file.
        map_location: See ``torch.load``.
        mmap: Leave the values on disk until they are used; files in the current format only.

    Returns:
        The saved object, usually a dict.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is incomplete or damaged, not a checkpoint, or contains more than data;
            or an environment variable of torch prevents reading it.
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
    except Exception as error:  # torch raises many classes for a broken file
        raise ValueError(_describe_broken(path, error)) from error


@contextmanager
def trusted_checkpoint(path: str | os.PathLike | None) -> Iterator[None]:
    """Allow unrestricted unpickling of one file, which can execute any command.

    Args:
        path: File that the caller created; None trusts no file.
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
        # Check with torch's own reader: torch.load passes TorchScript archives to torch.jit.load.
        if zipped and 'constants.pkl' in torch._C.PyTorchFileReader(file).get_all_records():
            return read_torchscript_tensors(path)
        if not zipped and not start.startswith(_PICKLE):
            raise ValueError('not a torch.save file')
        file.seek(0)
        if trusted:
            return torch.load(file, map_location=map_location, weights_only=False)
        return _load_data(path, file, zipped, map_location, mmap)


def _load_data(path: str, file: BinaryIO, zipped: bool, map_location: Any, mmap: bool) -> Any:
    """Call ``torch.load`` with the restricted unpickler.

    Before torch 2.4, torch's own ``weights_only=True`` supports neither NumPy nor MMEngine, and
    its list of additional classes is global to the process.
    """
    source: Any = file
    read_record = None
    if zipped and not mmap:  # mmap slices storages out of the file, so their sizes cannot be wrong.
        read_record = torch._C.PyTorchFileReader(file).get_record
        file.seek(0)
    if not zipped:
        # For the legacy format, torch first tries to open a real file as a tar and unpacks it.
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
        # Old files name deprecated storage classes.
        warnings.simplefilter('ignore', UserWarning)
        return torch.load(
            source, map_location=map_location, pickle_module=module, weights_only=False, mmap=mmap
        )


def _describe_broken(path: str, error: Exception) -> str:
    said = str(error).lower()
    if _FORCED in os.environ and ('pickle_module' in said or 'weights only' in said):
        return (
            f"'{path}' was not read: {_FORCED} is set, and torch then allows no reader but its "
            "own, which knows neither NumPy's nor MMEngine's data. Unset it: without "
            '--trust-checkpoint nothing in a file is run here, either.'
        )
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(16)
    if not size:
        return f"'{path}' is an empty file, not a checkpoint; copy or download it again."
    if start.startswith(_ZIP):
        problem = f'is not a complete checkpoint ({size} bytes): truncated or damaged'
    elif start.startswith(_PICKLE) and not isinstance(error, pickle.UnpicklingError):
        problem = f'is not a complete checkpoint ({size} bytes): truncated, damaged or foreign'
    else:
        problem = f'is not a checkpoint: it begins with {start!r}, expected a torch.save file'
    reason = (str(error).splitlines() or [''])[0][:200]
    # What torch's archive reader says of a cut file is about its own insides.
    detail = '' if 'PytorchStreamReader' in reason else f' ({type(error).__name__}: {reason})'
    return f"'{path}' {problem}; copy or download it again{detail}."
