"""Safe loading of tensors from TorchScript archives, without executing their code."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .data_unpickler import data_unpickler
from .pickled_values import PickledObject, RefusedGlobalError

_LARGEST_PACKED = 2**24
_PIECE = 2**20
_PROGRAM = ('__torch__', 'torch.jit')
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


class _Inert(PickledObject):
    """Instance of one of the archive's classes, with its attributes but without its code.

    Attributes:
        saved: Names of its parameters and buffers; None: unknown.
    """

    saved: frozenset[str] | None = None

    def __init__(self, *args: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def read_torchscript_tensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Load the tensors of a TorchScript archive, such as OpenAI's CLIP files.

    Args:
        path: ``torch.jit.save`` archive.

    Returns:
        Tensors on the CPU by their dotted attribute names, as in the module's state dict.

    Raises:
        RefusedGlobalError: The archive refers to more than its own classes and tensors.
        Exception: The archive is damaged; the class depends on ``zipfile``, ``pickle`` or torch.
    """
    with zipfile.ZipFile(path) as archive:
        check_packing(archive)
        (record,) = (name for name in archive.namelist() if name.split('/')[1:] == ['data.pkl'])
        content = io.BytesIO(archive.read(record))
        root = _unpickler(archive, record.removesuffix('data.pkl'))(content).load()
    return dict(_named_tensors(root))


def check_packing(archive: zipfile.ZipFile) -> None:
    """Check that an archive is not a decompression bomb; torch compresses text at most.

    Raises:
        ValueError: A large record is compressed; the message names it.
    """
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED and entry.file_size > _LARGEST_PACKED:
            raise ValueError(f'{entry.filename} would unpack to {entry.file_size} bytes')


def check_sums(archive: zipfile.ZipFile) -> None:
    """Verify the checksum of each entry of an archive, which torch does not.

    Raises:
        ValueError: An entry is damaged; the message names it.
    """
    for entry in archive.infolist():
        if entry.CRC:  # 0: torch.serialization.set_crc32_options(False) writes none
            with archive.open(entry) as part:
                while part.read(_PIECE):
                    pass


def _unpickler(archive: zipfile.ZipFile, root: str) -> type[pickle._Unpickler]:
    """Return an unpickler class that takes storages from the archive."""
    storages: dict[str, Tensor] = {}

    class ArchiveUnpickler(data_unpickler()):
        def find_class(self, module: str, name: str) -> Any:
            """Return an allowed class or function, or an inert class for the archive's own."""
            full = f'{module}.{name}'
            if full == 'torch._utils._rebuild_tensor_v2':
                return _view
            if module == 'torch' and name in _DTYPES:
                return _DTYPES[name]
            if module.startswith(_PROGRAM):
                saved = _saved_names(archive, root, module, name)
                return type('Inert', (_Inert,), {'saved': saved})
            return super().find_class(module, name)

        def persistent_load(self, saved: tuple) -> Tensor:
            """Load a storage as a flat tensor."""
            kind, dtype, key, *_ = saved
            if kind != 'storage' or not isinstance(dtype, torch.dtype):
                raise RefusedGlobalError(f'a record {kind!r} of {dtype!r}')
            if key not in storages:
                content = bytearray(archive.read(f'{root}data/{key}'))
                flat = torch.frombuffer(content, dtype=torch.uint8) if content else torch.empty(0)
                storages[key] = flat.view(dtype) if content else flat.to(dtype)
            return storages[key]

    return ArchiveUnpickler


def _saved_names(
    archive: zipfile.ZipFile, root: str, module: str, name: str
) -> frozenset[str] | None:
    """Parse the names of a class's parameters and buffers from the head of its source code.

    The pickle does not distinguish them from other tensors, such as attention masks.
    """
    record = f'{root}code/{module.replace(".", "/")}.py'
    if record not in archive.namelist():
        return None
    text = archive.read(record).decode()
    pattern = rf'^class {re.escape(name)}\(Module\):\n((?:  __\w+__ = \[.*\]\n)*)'
    head = re.search(pattern, text, re.M)
    if head is None:
        return None
    lists = re.findall(r'^  __(?:parameters|buffers)__ = \[(.*)\]$', head[1], re.M)
    return frozenset(re.findall(r'"([^"]+)"', ' '.join(lists)))


def _view(
    flat: Tensor, offset: int, size: Sequence[int], stride: Sequence[int], *_: object
) -> Tensor:
    """Build a tensor on its storage; torch checks bounds but allows endless repetition."""
    view = flat.as_strided(size, stride, offset)
    if view.numel() > flat.numel():
        raise ValueError(f'a tensor of shape {tuple(size)} from {flat.numel()} numbers')
    return view


def _named_tensors(root: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors below an object in attribute order, visiting each object once."""
    pending, seen = [('', root)], set()
    while pending:
        prefix, owner = pending.pop()
        state = owner.state if isinstance(owner, _Inert) else None
        if not isinstance(state, dict) or id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, value in state.items():
            if isinstance(value, Tensor) and (owner.saved is None or name in owner.saved):
                yield f'{prefix}{name}', value
        children = [(f'{prefix}{name}.', value) for name, value in state.items()]
        pending.extend(reversed(children))
