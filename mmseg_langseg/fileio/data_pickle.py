"""A pickle module that builds plain data and nothing else, for ``torch.load(pickle_module=...)``.

torch's own ``weights_only=True`` cannot be taught MMEngine's history before torch 2.4, and runs
TorchScript archives before torch 2.6.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import IO, Any

import torch
from mmengine.logging import HistoryBuffer

_PLAIN = {
    'argparse': {'Namespace'},
    'builtins': {'bytearray', 'complex', 'dict', 'frozenset', 'list', 'set', 'slice', 'tuple'},
    # Bytes and arrays of numpy in pickles of protocol 2, which torch.save writes.
    '_codecs': {'encode'},
    'collections': {'Counter', 'OrderedDict', 'defaultdict', 'deque'},
    'mmengine.logging.history_buffer': {'HistoryBuffer'},
    'numpy': {'dtype', 'ndarray'},
    'torch': {'Size', 'Tensor', 'device'},
    'torch._tensor': {'_rebuild_from_type_v2'},
    'torch._utils': {
        '_rebuild_parameter',
        '_rebuild_parameter_with_state',
        '_rebuild_tensor',
        '_rebuild_tensor_v2',
    },
    'torch.nn.parameter': {'Buffer', 'Parameter'},
}
# The name of builtins in pickles of protocol 2.
_PLAIN['__builtin__'] = _PLAIN['builtins']
for _numpy in ('numpy.core', 'numpy._core'):
    _PLAIN[f'{_numpy}.multiarray'] = {'_reconstruct', 'scalar'}
    _PLAIN[f'{_numpy}.numeric'] = {'_frombuffer'}

# Quantized numbers come with functions that are not plain.
_STORED = {
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex32, torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16, torch.uint32, torch.uint64),
}


class UnsafePickleError(pickle.UnpicklingError):
    """A pickle asks for something that is no plain data; the message names it."""


# Python's own one in C fills gigabytes of memory if a file of a few bytes says so.
class Unpickler(pickle._Unpickler):
    """Builds tensors, arrays, numbers, text and containers; refuses everything else by name."""

    # Reads a part of the archive, where the pickle is in one.
    read_record: Callable[[str], bytes] | None = None

    @property
    def persistent_load(self) -> Callable[[tuple], Any]:
        """Torch's function that finds a storage; torch sets it."""
        return self._load_storage

    @persistent_load.setter
    def persistent_load(self, find: Callable[[tuple], Any]) -> None:
        self._find_storage = find

    def _load_storage(self, identity: tuple) -> Any:
        dtype = torch.uint8 if identity[1] is torch.UntypedStorage else identity[1].dtype
        if dtype not in _STORED:
            raise pickle.UnpicklingError(f'a storage of {dtype}')
        if self.read_record is not None:
            # Torch before 2.7 believes the size, and reads whatever follows in memory.
            size = identity[4] * dtype.itemsize
            found = len(self.read_record(f'data/{identity[2]}'))
            if found != size:
                raise pickle.UnpicklingError(f'{found} bytes of numbers instead of {size}')
        return self._find_storage(identity)

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class or function.

        Raises:
            UnsafePickleError: It is not on the list.
        """
        if (module, name) in (('builtins', 'getattr'), ('__builtin__', 'getattr')):
            return _statistic
        is_dtype = module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype)
        if name not in _PLAIN.get(module, ()) and not is_dtype:
            raise UnsafePickleError(f'{module}.{name}')
        return super().find_class(module, name)


def _statistic(owner: Any, name: str) -> Any:
    """What MMEngine's history asks ``getattr`` for: one of its own functions."""
    if owner is not HistoryBuffer or name not in ('current', 'max', 'mean', 'min'):
        raise UnsafePickleError('builtins.getattr')
    return getattr(owner, name)


def for_archive(read_record: Callable[[str], bytes]) -> SimpleNamespace:
    """This module for a pickle in an archive, whose sizes are checked.

    Args:
        read_record: Gives the content of a part of the archive by its name.
    """

    class ArchiveUnpickler(Unpickler):
        pass

    ArchiveUnpickler.read_record = staticmethod(read_record)
    return SimpleNamespace(Unpickler=ArchiveUnpickler, load=load, __name__=__name__)


def load(file: IO[bytes], **kwargs: Any) -> Any:
    """As ``pickle.load``, with this module's :class:`Unpickler`."""
    return Unpickler(file, **kwargs).load()
