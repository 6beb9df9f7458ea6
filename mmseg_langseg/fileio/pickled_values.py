"""Functions that a restricted pickle may call: they build data and check every argument.

NumPy and torch trust the sizes and types in a pickle, and access foreign memory if they are wrong.
"""

from __future__ import annotations

import math
import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch.storage import TypedStorage

# Only numbers: the state of any other type sets its size and how its memory is freed.
_NUMBERS = re.compile(r'[?]|b1|[iu][1248]|f(?:2|4|8|16)|c(?:8|16|32)')


class RefusedGlobalError(Exception):
    """A pickle refers to a class or function that is not data; the message is its name."""


class Call:
    """Function that a pickle can call but not modify."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)


class PickledObject:
    """Base class of the objects that a pickle can create and restore."""

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError


class _History(PickledObject):
    """Stand-in for MMEngine's ``HistoryBuffer``, which it becomes."""

    def __setstate__(self, state: dict) -> None:
        """Restore the numbers only; the statistics functions always come from MMEngine."""
        numbers = state['_log_history'], state['_count_history']
        if not all(isinstance(values, np.ndarray) for values in numbers):
            raise pickle.UnpicklingError('a log without arrays')
        self.__class__ = HistoryBuffer
        HistoryBuffer.__init__(self, *numbers, state['max_length'])


def set_state(value: Any, state: Any) -> None:
    """Restore the state of an unpickled object.

    Raises:
        pickle.UnpicklingError: The object takes no state, or the state does not fit it.
    """
    if isinstance(value, PickledObject):
        value.__setstate__(state)
    elif type(value) is np.ndarray:
        _fill_array(value, state)
    elif isinstance(value, np.dtype):
        _set_byte_order(value, state)
    elif type(value) is OrderedDict and type(state) is dict:
        vars(value).update(state)  # torch keeps the versions of modules there
    else:
        raise pickle.UnpicklingError(f'a state for {type(value).__name__}')


def _plain_dtype(name: str, *_: object) -> np.dtype:
    if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
        raise RefusedGlobalError(f'numpy.dtype {name!r}')
    return np.dtype(name, copy=True)  # NumPy's shared instances ignore the byte order that follows


def _set_byte_order(dtype: np.dtype, state: tuple) -> None:
    order = state[1]
    expected = ('|',) if dtype.itemsize == 1 else ('<', '>')
    if order not in expected or state != (3, order, None, None, None, -1, -1, 0):
        raise pickle.UnpicklingError('a type with a state other than its byte order')
    dtype.__setstate__(state)


def _empty_array(kind: object, *_: object) -> np.ndarray:
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError('an array of another class')
    return np.empty(0, np.int8)


def _fill_array(array: np.ndarray, state: tuple) -> None:
    _, shape, dtype, fortran, content = state
    _check_natural(shape)
    if not isinstance(dtype, np.dtype) or type(content) is not bytes:
        raise pickle.UnpicklingError('an array of other things than numbers')
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise pickle.UnpicklingError(f'{len(content)} bytes of an array instead of {expected}')
    if math.prod(max(size, 1) for size in shape) > sys.maxsize // dtype.itemsize:
        raise pickle.UnpicklingError(f'an array of shape {shape}')
    array.__setstate__((1, shape, dtype, bool(fortran), content))


def _scalar(dtype: np.dtype, content: bytes) -> np.generic:
    if not isinstance(dtype, np.dtype) or len(content) != dtype.itemsize:
        raise pickle.UnpicklingError('a number of another size than its type')
    return np.frombuffer(content, dtype)[0]


def _tensor(storage: TypedStorage, offset: int, size: Sequence, stride: Sequence) -> torch.Tensor:
    """Return a view of a storage, within its bounds.

    For a larger view, torch would grow a storage of the legacy format with uninitialized memory
    and invalidate its other views.
    """
    if not isinstance(storage, TypedStorage) or len(size) != len(stride):
        raise pickle.UnpicklingError('a tensor without numbers or shape')
    _check_natural((offset, *size, *stride))
    end = offset
    if 0 not in size:
        end += 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    found = storage._untyped_storage.nbytes() // storage.dtype.itemsize
    if end > found:
        raise pickle.UnpicklingError(f'a tensor that ends at number {end} of {found}')
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def _tensor_v2(
    storage: TypedStorage,
    offset: int,
    size: Sequence,
    stride: Sequence,
    requires_grad: bool,
    hooks: object,
    metadata: dict | None = None,
) -> torch.Tensor:
    tensor = _tensor(storage, offset, size, stride)
    tensor.requires_grad = requires_grad
    if metadata:
        if not (tensor.is_complex() and set(metadata) == {'conj'}) and set(metadata) != {'neg'}:
            raise pickle.UnpicklingError('a tensor with unknown metadata')
        torch._utils.set_tensor_metadata(tensor, metadata)
    return tensor


def _parameter(tensor: torch.Tensor, requires_grad: bool, hooks: object) -> torch.nn.Parameter:
    return torch.nn.Parameter(tensor, requires_grad)


def _check_natural(numbers: Sequence) -> None:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise pickle.UnpicklingError('a size or offset that is not a natural number')


def _ordered_dict(pairs: Sequence = ()) -> OrderedDict:
    result = OrderedDict()
    for key, value in pairs:
        result[key] = value
    return result


def _slice(*limits: int | None) -> slice:
    # Since Python 3.12, slices are hashed by the same recursion as tuples.
    if not all(limit is None or type(limit) is int for limit in limits):
        raise pickle.UnpicklingError('a slice without numbers')
    return slice(*limits)


def _empty_bytes() -> bytes:
    return b''


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Encode text as Latin-1, which is how pickle protocol 2 stores bytes."""
    if encoding != 'latin1':
        raise RefusedGlobalError(f'_codecs.encode to {encoding!r}')
    return text.encode('latin1')


def _method_name(owner: object, name: str) -> str:
    """Stand in for ``getattr`` on a ``HistoryBuffer``, whose pickled statistics are ignored."""
    if owner is not _History:
        raise RefusedGlobalError(f'builtins.getattr of {owner!r}')
    return name


def _no_array(*_: object) -> None:
    raise RefusedGlobalError('a call of numpy.ndarray')


_NDARRAY = Call(_no_array)
# No class of the program is listed, as pickles can set attributes of the classes they name.
ALLOWED_GLOBALS: dict[str, Any] = {
    'builtins.bytes': Call(_empty_bytes),
    'builtins.complex': Call(complex),
    'builtins.frozenset': Call(frozenset),
    'builtins.getattr': Call(_method_name),
    'builtins.set': Call(set),
    'builtins.slice': Call(_slice),
    '_codecs.encode': Call(_encode_latin1),
    'collections.OrderedDict': Call(_ordered_dict),
    'mmengine.logging.history_buffer.HistoryBuffer': _History,
    'numpy.dtype': Call(_plain_dtype),
    'numpy.ndarray': _NDARRAY,
    'numpy._core.multiarray._reconstruct': Call(_empty_array),
    'numpy._core.multiarray.scalar': Call(_scalar),
    'torch.Size': Call(torch.Size),
    'torch.device': Call(torch.device),
    'torch._utils._rebuild_parameter': Call(_parameter),
    'torch._utils._rebuild_tensor': Call(_tensor),
    'torch._utils._rebuild_tensor_v2': Call(_tensor_v2),
}
