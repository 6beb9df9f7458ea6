"""The tensors of a TorchScript archive, without running the archive."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from .read_checkpoint import UnsafeFileError

_DTYPES = {
    'BFloat16Storage': torch.bfloat16,
    'BoolStorage': torch.bool,
    'ByteStorage': torch.uint8,
    'CharStorage': torch.int8,
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'IntStorage': torch.int32,
    'LongStorage': torch.int64,
    'ShortStorage': torch.int16,
}
# Lists of one type; the functions of torch return what they are given.
_LISTS = {'build_boollist', 'build_doublelist', 'build_intlist', 'build_tensorlist'}
_LARGEST_TEXT = 2**24
# In the source of a class: its name, then the names of its parameters and buffers.
_CLASS = re.compile(r'^class (\w+)\(Module\):$', re.MULTILINE)
_NAMES = re.compile(r'^  __(?:parameters|buffers)__ = \[(.*)\]$', re.MULTILINE)


def is_torchscript(path: str | os.PathLike) -> bool:
    """Whether a file is an archive of ``torch.jit.save``."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('/constants.pkl') for name in archive.namelist())
    except Exception:  # of a broken directory; whoever reads the file says so
        return False


def read_torchscript_tensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read the parameters and buffers of a TorchScript archive.

    The archive is a zip of pickled values, raw tensors and program text. Values are unpickled into
    inert objects, the text is searched for the names of parameters and buffers, nothing is run.

    Args:
        path: A file of ``torch.jit.save``, such as OpenAI's CLIP weights.

    Returns:
        Tensors on the CPU by the names that the module's ``state_dict()`` has.

    Raises:
        UnsafeFileError: It holds values of a kind that no module has; the message names it.
        ValueError: The archive is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except _RefusedError as error:
        raise UnsafeFileError(
            f"'{path}' holds {error}, which is no plain data, and was not read."
        ) from error
    except Exception as error:  # zip, pickle and torch raise many kinds for a broken file
        raise ValueError(
            f"'{path}' is a damaged TorchScript archive ({type(error).__name__}: {error})"
        ) from error


class _RefusedError(pickle.UnpicklingError):
    pass


class _Module:
    """A scripted object: the name of its class and its attributes."""

    kind = ''

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


# Python's own one in C fills gigabytes of memory if a file of a few bytes says so.
class _Unpickler(pickle._Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(_content(archive, f'{root}/data.pkl')))
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == '__torch__':
            return type('Module', (_Module,), {'kind': f'{module}.{name}'})
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _rebuild_tensor
        if module == 'torch.jit._pickle' and name in _LISTS:
            return list
        if module == 'torch.jit._pickle' and name == 'restore_type_tag':
            return _untagged
        if module == 'torch' and name in _DTYPES:
            return name
        raise _RefusedError(f'{module}.{name}')

    def persistent_load(self, entry: tuple) -> Tensor:
        """The storage ``('storage', type, key, device, size)`` as a tensor of one dimension."""
        _, kind, key, _, size = entry
        if key not in self._storages:
            raw = bytearray(_content(self._archive, f'{self._root}/data/{key}'))
            dtype = _DTYPES[kind]
            self._storages[key] = (
                torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
            )
        return self._storages[key][:size]


def _untagged(value: Any, tag: Any) -> Any:
    return value


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *rest: Any) -> Tensor:
    # as_strided refuses what reaches beyond the storage, but repeats a number without end.
    view = torch.as_strided(storage, size, stride, offset)
    if view.numel() > storage.numel():
        raise ValueError(f'a tensor of shape {size} from {storage.numel()} numbers')
    return view.clone()


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    # torch compresses only the text, so a small file need never become a large one.
    if entry.compress_type != zipfile.ZIP_STORED and entry.file_size > _LARGEST_TEXT:
        raise ValueError(f'{name} would unpack to {entry.file_size} bytes')
    return archive.read(entry)


def _read(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    name = next(name for name in archive.namelist() if name.endswith('/data.pkl'))
    root = name.removesuffix('/data.pkl')
    module = _Unpickler(archive, root).load()
    if not isinstance(module, _Module):
        raise ValueError(f'the archive holds {type(module).__name__} in place of a module')
    return dict(_tensors(module, _saved_names(archive, root), ''))


def _saved_names(archive: zipfile.ZipFile, root: str) -> dict[str, set[str]]:
    """Names of the parameters and buffers of each class."""
    saved: dict[str, set[str]] = {}
    for name in archive.namelist():
        if not name.startswith(f'{root}/code/') or not name.endswith('.py'):
            continue
        package = name.removeprefix(f'{root}/code/').removesuffix('.py').replace('/', '.')
        parts = _CLASS.split(_content(archive, name).decode('utf-8'))
        for kind, body in zip(parts[1::2], parts[2::2], strict=True):
            found = ' '.join(_NAMES.findall(body))
            saved[f'{package}.{kind}'] = set(re.findall(r'"([^"]*)"', found))
    return saved


def _tensors(module: _Module, saved: dict[str, set[str]], prefix: str):
    names = saved.get(module.kind, set())
    for name, value in module.attributes.items():
        if isinstance(value, Tensor) and name in names:
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, saved, f'{prefix}{name}.')
