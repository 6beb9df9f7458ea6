"""Restricted unpickler for checkpoints: builds data and executes nothing else."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_RENAMED_MODULES = {
    '__builtin__': 'builtins',
    'numpy.core.multiarray': 'numpy._core.multiarray',
    'torch.tensor': 'torch._tensor',
}
# Kind and size; byte order and structure come as a state, which built-in types ignore.
_PLAIN_DTYPE = re.compile(r'[?]|[biufc]\d{1,2}|[SU]\d{1,6}')

# Without the quantized types, which need more than their bytes.
_STORED = {
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex32, torch.complex64, torch.complex128),
}


class RefusedGlobalError(Exception):
    """A pickle refers to a class or function that is not data; the message is its name."""


def data_unpickler(
    read_record: Callable[[str], bytes] | None = None,
) -> type[pickle._Unpickler]:
    """Return an unpickler class for tensors, plain values, NumPy arrays and MMEngine's logs.

    Create a new class for each file: pickles can set attributes of the Python classes that they
    name, so none is shared with the rest of the program.

    Args:
        read_record: Returns the content of a record of the archive that contains the pickle; the
            sizes of storages are compared with it.
    """
    allowed = _allowed_globals()

    # A file of a few bytes can make the C unpickler allocate gigabytes.
    class DataUnpickler(pickle._Unpickler):
        def __init__(self, file: BinaryIO, **kwargs: Any) -> None:
            super().__init__(_WholeReads(file), **kwargs)

        @property
        def persistent_load(self) -> Callable[[tuple], Any]:
            """Load a storage with the function that torch sets here."""
            return self._load_storage

        @persistent_load.setter
        def persistent_load(self, find: Callable[[tuple], Any]) -> None:
            self._find_storage = find

        def _load_storage(self, identity: tuple) -> Any:
            _check_storage(identity, read_record)
            return self._find_storage(identity)

        def find_class(self, module: str, name: str) -> Any:
            """Return the class or function that a pickle names.

            Raises:
                RefusedGlobalError: It is not on the list of allowed globals.
            """
            full = f'{_RENAMED_MODULES.get(module, module)}.{name}'
            if full in allowed:
                return allowed[full]
            dtype = getattr(torch, name, None) if module == 'torch' else None
            if isinstance(dtype, torch.dtype):
                return dtype
            raise RefusedGlobalError(f'{module}.{name}')

    return DataUnpickler


def _check_storage(identity: tuple, read_record: Callable[[str], bytes] | None) -> None:
    dtype = torch.uint8 if identity[1] is torch.UntypedStorage else identity[1].dtype
    if dtype not in _STORED:
        raise pickle.UnpicklingError(f'a storage of {dtype}')
    if read_record is not None:
        # Older torch (2.5) trusts the size and reads whatever follows in memory.
        size = identity[4] * dtype.itemsize
        found = len(read_record(f'data/{identity[2]}'))
        if found != size:
            raise pickle.UnpicklingError(f'a storage has {found} bytes, expected {size}')


class _WholeReads:
    """File wrapper that raises at the end of the file, which the Python unpickler ignores."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) < size:
            raise EOFError('pickle data was truncated')
        return content

    def readline(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b'\n'):
            raise EOFError('pickle data was truncated')
        return line


class _Call:
    """Function that a pickle can call but not modify."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError('a function has no state')


def _allowed_globals() -> dict[str, Any]:
    class History(HistoryBuffer):
        def __setstate__(self, state: dict) -> None:
            """Restore the numbers only; the statistics functions always come from MMEngine."""
            self.__class__ = HistoryBuffer
            HistoryBuffer.__init__(
                self, state['_log_history'], state['_count_history'], state['max_length']
            )

    history = 'mmengine.logging.history_buffer.HistoryBuffer'
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    return {
        'builtins.bytes': _Call(_empty_bytes),
        'builtins.complex': complex,
        'builtins.frozenset': frozenset,
        'builtins.getattr': _Call(_method_name),
        'builtins.set': set,
        'builtins.slice': slice,
        '_codecs.encode': _Call(_encode_latin1),
        'collections.OrderedDict': OrderedDict,
        history: History,
        'numpy.dtype': _Call(_plain_dtype),
        'numpy.ndarray': np.ndarray,
        'numpy._core.multiarray._reconstruct': multiarray._reconstruct,
        'numpy._core.multiarray.scalar': multiarray.scalar,
        'torch.Size': torch.Size,
        'torch.device': torch.device,
        'torch._utils._rebuild_parameter': _Call(torch._utils._rebuild_parameter),
        'torch._utils._rebuild_tensor': _Call(torch._utils._rebuild_tensor),
        'torch._utils._rebuild_tensor_v2': _Call(torch._utils._rebuild_tensor_v2),
    }


def _empty_bytes() -> bytes:
    return b''


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Encode text as Latin-1, which is how pickle protocol 2 stores bytes."""
    if encoding != 'latin1':
        raise RefusedGlobalError(f'_codecs.encode to {encoding!r}')
    return text.encode('latin1')


def _method_name(owner: object, name: str) -> str:
    """Stand in for ``getattr`` on a ``HistoryBuffer``, whose pickled statistics are ignored."""
    if not (isinstance(owner, type) and issubclass(owner, HistoryBuffer)):
        raise RefusedGlobalError(f'builtins.getattr of {owner!r}')
    return name


def _plain_dtype(name: str, *_: object) -> np.dtype:
    """Allow numbers and strings: structured and object types are not needed and easily abused."""
    if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
        raise RefusedGlobalError(f'numpy.dtype {name!r}')
    return np.dtype(name)
