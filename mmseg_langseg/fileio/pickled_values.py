"""What a pickle may call: functions that build data and check every argument.

NumPy and torch believe what a pickle tells them about sizes and types, and read or free memory
that is not theirs if it lies.
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

# Numbers alone: the state of any other type overrides its size and the way its memory is freed.
_NUMBERS = re.compile(r'[?]|b1|[iu][1248]|f(?:2|4|8|16)|c(?:8|16|32)')


class RefusedGlobalError(Exception):
    """A pickle names a class or function that is no data; the message is its name."""


class Call:
    """A function that a pickle can call but not change."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)


class PickledObject:
    """Base of the classes that a pickle can make objects of and give a state to."""

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError


class _History(PickledObject):
    """Becomes one of MMEngine's logs."""

    def __setstate__(self, state: dict) -> None:
        """Take over the numbers; the statistics are MMEngine's, whatever the file says."""
        numbers = state['_log_history'], state['_count_history']
        if not all(isinstance(values, np.ndarray) for values in numbers):
            raise pickle.UnpicklingError('a log without arrays')
        self.__class__ = HistoryBuffer
        HistoryBuffer.__init__(self, *numbers, state['max_length'])


def set_state(value: Any, state: Any) -> None:
    """Give an object the state that a pickle has for it, if it is one that needs a state.

    Raises:
        pickle.UnpicklingError: It is another one, or the state does not fit it.
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
    return np.dtype(name, copy=True)  # NumPy's own ignores the byte order that follows


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
    _check_whole(shape)
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
    """A view of a storage.

    Torch lets a storage of the legacy format grow if the view is larger; the new numbers are what
    was in memory, and other views of the old ones are left without it.
    """
    if not isinstance(storage, TypedStorage) or len(size) != len(stride):
        raise pickle.UnpicklingError('a tensor without numbers or shape')
    _check_whole((offset, *size, *stride))
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


def _check_whole(numbers: Sequence) -> None:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise pickle.UnpicklingError('a size or position that is no whole number')


def _ordered_dict(pairs: Sequence = ()) -> OrderedDict:
    result = OrderedDict()
    for key, value in pairs:
        result[key] = value
    return result


def _slice(*limits: int | None) -> slice:
    # From Python 3.12 on slices have a hash, by the same recursion as that of tuples.
    if not all(limit is None or type(limit) is int for limit in limits):
        raise pickle.UnpicklingError('a slice without numbers')
    return slice(*limits)


def _empty_bytes() -> bytes:
    return b''


def _encode_latin1(text: str, encoding: str) -> bytes:
    """How pickle protocol 2 writes bytes."""
    if encoding != 'latin1':
        raise RefusedGlobalError(f'_codecs.encode to {encoding!r}')
    return text.encode('latin1')


def _method_name(owner: object, name: str) -> str:
    """How a ``HistoryBuffer`` writes its statistics, which are not taken from the file."""
    if owner is not _History:
        raise RefusedGlobalError(f'builtins.getattr of {owner!r}')
    return name


def _no_array(*_: object) -> None:
    raise RefusedGlobalError('a call of numpy.ndarray')


_NDARRAY = Call(_no_array)
# No class of the program itself is here: pickles can set attributes of the classes they name.
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
