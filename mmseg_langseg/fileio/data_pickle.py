"""A pickle module that builds plain data and nothing else, for ``torch.load(pickle_module=...)``.

torch's own ``weights_only=True`` cannot be taught MMEngine's history before torch 2.4, and runs
TorchScript archives before torch 2.6.
"""

from __future__ import annotations

import pickle
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


class UnsafePickleError(pickle.UnpicklingError):
    """A pickle asks for something that is no plain data; the message names it."""


class Unpickler(pickle.Unpickler):
    """Builds tensors, arrays, numbers, text and containers; refuses everything else by name."""

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


def load(file: IO[bytes], **kwargs: Any) -> Any:
    """As ``pickle.load``, with this module's :class:`Unpickler`."""
    return Unpickler(file, **kwargs).load()
