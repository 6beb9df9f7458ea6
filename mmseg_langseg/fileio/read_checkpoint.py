"""Reading checkpoints as data."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from typing import IO, Any

import torch

from . import data_pickle

# The original: within data_only_loading, torch.load is read_checkpoint.
_torch_load = torch.load
_LARGEST_PACKED = 2**24


class UnsafeFileError(ValueError):
    """A file holds a program, or would have to be run to be read."""


def read_checkpoint(
    path: str | os.PathLike | IO[bytes], map_location: Any = 'cpu', trust: bool = False
) -> Any:
    """Read a file of ``torch.save`` without running anything that it holds.

    Tensors, numpy arrays, numbers, text, containers and MMEngine's log history are read, in the
    zip format and in the one before torch 1.6.

    Args:
        path: The file, or an open one.
        map_location: See ``torch.load``.
        trust: Read the file with plain pickle, which runs whatever code it holds: only for files
            that one made oneself.

    Returns:
        What was saved.

    Raises:
        FileNotFoundError: There is no such file.
        UnsafeFileError: The file holds something else than data; the message names it.
        ValueError: The file is no checkpoint, or not a whole one.
    """
    opened = None if isinstance(path, (str, os.PathLike)) else path
    name = getattr(opened, 'name', 'open file') if opened else os.fspath(path)
    if opened is None and not os.path.isfile(name):
        kind = 'is a folder' if os.path.isdir(name) else 'does not exist'
        raise FileNotFoundError(f"The checkpoint '{name}' {kind}.")
    try:
        with open(name, 'rb') if opened is None else nullcontext(opened) as file:
            return _read(file, map_location, name, trust)
    except (UnsafeFileError, PermissionError):
        raise
    except MemoryError as error:
        raise ValueError(
            f"'{name}' asks for more memory than there is: it is damaged, or too large for this "
            'machine.'
        ) from error
    except data_pickle.UnsafePickleError as error:
        raise UnsafeFileError(
            f"'{name}' holds {error}, which is no plain data, and was not read: loading it could "
            'run a program. If you made the file yourself, say --trust-checkpoint '
            '(trust_checkpoint=True in Python).'
        ) from error
    except Exception as error:  # torch and pickle raise many kinds for a broken file
        reason = (str(error).splitlines() or [''])[0]
        raise ValueError(
            f"'{name}' is no checkpoint of torch.save, or only a part of one "
            f'({type(error).__name__}: {reason:.120}). Copy or download it again.'
        ) from error


def _read(file: IO[bytes], map_location: Any, name: str, trust: bool) -> Any:
    if trust:
        return _torch_load(file, map_location=map_location, weights_only=False)
    pickle_module = data_pickle
    if _is_zip(file):
        # The same reader and the same mark that torch.load goes by.
        reader = torch._C.PyTorchFileReader(file)
        if 'constants.pkl' in reader.get_all_records():
            raise UnsafeFileError(
                f"'{name}' is a TorchScript archive, a program, and was not run: expected a "
                'checkpoint of torch.save. (As CLIP weights, such a file is read for its tensors.)'
            )
        _check_packing(file)
        pickle_module = data_pickle.for_archive(reader.get_record)
    elif tarfile.is_tarfile(file):
        raise UnsafeFileError(
            f"'{name}' is in torch's tar format of 2017, which is not read for safety."
        )
    file.seek(0)
    content = _torch_load(
        file, map_location=map_location, pickle_module=pickle_module, weights_only=False
    )
    meta = content.get('meta') if isinstance(content, Mapping) else None
    if isinstance(meta, dict):
        # MMEngine runs this text as a config file when it resumes; its own checkpoints have 'cfg'.
        meta.pop('config', None)
    return content


def _check_packing(file: IO[bytes]) -> None:
    """Refuse a small file that would unpack to a large one; torch.save packs nothing."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED and entry.file_size > _LARGEST_PACKED:
                raise ValueError(f'{entry.filename} would unpack to {entry.file_size} bytes')


def _is_zip(file: IO[bytes]) -> bool:
    start = file.read(4)
    file.seek(0)
    return start == b'PK\x03\x04'
