"""Restricted unpickler for checkpoints: builds data and executes nothing else."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import torch

from .pickled_values import ALLOWED_GLOBALS, PickledObject, RefusedGlobalError, set_state

_RENAMED_MODULES = {
    '__builtin__': 'builtins',
    'numpy.core.multiarray': 'numpy._core.multiarray',
    'torch.tensor': 'torch._tensor',
}
# Python computes the hash of nested tuples by an unbounded recursion.
_DEEPEST_TUPLE = 100

# Without the quantized types, which need more than their bytes.
_STORED = {
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex32, torch.complex64, torch.complex128),
}


def data_unpickler(
    read_record: Callable[[str], bytes] | None = None,
) -> type[pickle._Unpickler]:
    """Return an unpickler class for tensors, plain values, NumPy arrays and MMEngine's logs.

    Args:
        read_record: Returns the content of a record of the archive that contains the pickle; the
            sizes of storages are compared with it.
    """

    class DataUnpickler(_GuardedUnpickler):
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
            if full in ALLOWED_GLOBALS:
                return ALLOWED_GLOBALS[full]
            dtype = getattr(torch, name, None) if module == 'torch' else None
            if isinstance(dtype, torch.dtype):
                return dtype
            raise RefusedGlobalError(f'{module}.{name}')

    return DataUnpickler


# Not the C unpickler, which a file of a few bytes can make allocate gigabytes.
class _GuardedUnpickler(pickle._Unpickler):
    """Unpickler whose instructions modify only containers and objects made for it."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, **kwargs: Any) -> None:
        super().__init__(_WholeReads(file), **kwargs)
        # Depth of nested tuples by id; the tuples are kept so that no id is reused.
        self._nested: dict[int, tuple[int, tuple]] = {}

    def _make_tuple(self, values: Sequence) -> None:
        depths = [self._nested.get(id(v), (1, v))[0] for v in values if isinstance(v, tuple)]
        result, depth = tuple(values), 1 + max(depths, default=0)
        if depth > _DEEPEST_TUPLE:
            raise pickle.UnpicklingError(f'more than {_DEEPEST_TUPLE} nested tuples')
        if depth > 1:
            self._nested[id(result)] = depth, result
        self.append(result)

    def load_tuple(self) -> None:
        self._make_tuple(self.pop_mark())

    dispatch[pickle.TUPLE[0]] = load_tuple

    def load_build(self) -> None:
        state = self.stack.pop()
        set_state(self.stack[-1], state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_newobj(self) -> None:
        kind = self.stack[-2]
        if not (isinstance(kind, type) and issubclass(kind, PickledObject)):
            raise pickle.UnpicklingError(f'a new object of {type(kind).__name__}')
        super().load_newobj()

    dispatch[pickle.NEWOBJ[0]] = load_newobj


def _short_tuple(count: int) -> Callable[[_GuardedUnpickler], None]:
    def load(self: _GuardedUnpickler) -> None:
        values = [self.stack.pop() for _ in range(count)]
        self._make_tuple(values[::-1])

    return load


def _only_for(
    kinds: tuple[type, ...], load: Callable, below: int | None
) -> Callable[[_GuardedUnpickler], None]:
    """Return an instruction that modifies only containers of exactly these types."""

    def checked(self: _GuardedUnpickler) -> None:
        holder = self.metastack[-1][-1] if below is None else self.stack[below]
        if type(holder) not in kinds:
            raise pickle.UnpicklingError(f'entries for {type(holder).__name__}')
        load(self)

    return checked


def _refuse(self: _GuardedUnpickler) -> None:
    raise pickle.UnpicklingError('an instruction that no checkpoint needs')


_GuardedUnpickler.dispatch |= {
    pickle.TUPLE1[0]: _short_tuple(1),
    pickle.TUPLE2[0]: _short_tuple(2),
    pickle.TUPLE3[0]: _short_tuple(3),
    pickle.APPEND[0]: _only_for((list,), pickle._Unpickler.load_append, -2),
    pickle.APPENDS[0]: _only_for((list,), pickle._Unpickler.load_appends, None),
    pickle.SETITEM[0]: _only_for((dict, OrderedDict), pickle._Unpickler.load_setitem, -3),
    pickle.SETITEMS[0]: _only_for((dict, OrderedDict), pickle._Unpickler.load_setitems, None),
    pickle.ADDITEMS[0]: _only_for((set,), pickle._Unpickler.load_additems, None),
    # Views of freed memory, buffers of any size, and other ways to create objects.
    **{
        code[0]: _refuse
        for code in (
            *(pickle.READONLY_BUFFER, pickle.NEXT_BUFFER, pickle.BYTEARRAY8, pickle.NEWOBJ_EX),
            *(pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4),
        )
    },
}


def _check_storage(identity: tuple, read_record: Callable[[str], bytes] | None) -> None:
    # With the other kind, the source code of a module, torch writes files.
    kind, stored, key, _, count, *_ = identity
    if kind not in ('storage', b'storage') or type(count) is not int or count < 0:
        raise pickle.UnpicklingError('a storage without a name or size')
    dtype = torch.uint8 if stored is torch.UntypedStorage else stored.dtype
    if dtype not in _STORED:
        raise pickle.UnpicklingError(f'a storage of {dtype}')
    if read_record is not None:
        # Older torch (2.5) trusts the size and reads whatever follows in memory.
        size = count * dtype.itemsize
        found = len(read_record(f'data/{key}'))
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
