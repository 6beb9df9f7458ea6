"""Hypothesis strategies for hostile pickles and the weight file formats around them."""

from __future__ import annotations

import functools
import io
import pickle
import zipfile

import torch
from hypothesis import strategies as st
from safetensors.torch import save

from tests.fuzz.strategies import mixed, mutated_bytes
from tests.hostile_weights import MEMORY_ATTACKS

MARKER = 'FUZZ_MARKER'
"""Environment variable with the path of a file that must not be created."""
_TOUCH = f'V: > "${MARKER}"\n'.encode()
_PYTHON = f"Vopen(__import__('os').environ['{MARKER}'], 'w')\n".encode()
_MAGIC = 0x1950A86A20F9469CFC6C
GADGETS = (
    *(b'cposix\nsystem\n(' + _TOUCH + b'tR', b'cos\nsystem\n(' + _TOUCH + b'tR'),
    *(b'(' + _TOUCH + b'iposix\nsystem\n', b'(cposix\nsystem\n' + _TOUCH + b'o'),
    *(b'cbuiltins\neval\n(' + _PYTHON + b'tR', b'c__builtin__\nexec\n(' + _PYTHON + b'tR'),
    b'cbuiltins\ngetattr\n(c__builtin__\n__import__\n(Vos\ntRVsystem\ntR(' + _TOUCH + b'tR',
    b'cbuiltins\ngetattr\n(cmmengine.logging.history_buffer\nHistoryBuffer\nV__init__\ntR',
    b'cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81}V_statistics_methods\n}V__class__\nN'
    b'ssb',
    b'csubprocess\ncall\n(]Vtouch\naVx\natR',
    b'Vposix\nVsystem\n\x93(' + _TOUCH + b'tR',
    b'Vargparse\nVNamespace.__init__.__globals__\n\x93',
    b'ccollections\ndefaultdict\n(cposix\nsystem\ntR',
    b'ctorch.storage\n_load_from_bytes\n(B\x05\0\0\0hellotR',
    b'ctorch._utils\n_rebuild_from_type_v2\n(cposix\nsystem\nN(' + _TOUCH + b'tNtR',
    b'cnumpy\nload\n(V/etc/passwd\ntR',
    b'cfunctools\npartial\n(cposix\nsystem\n' + _TOUCH + b'tR',
    b'\x82\x01',
)
BOMBS = (
    b'cbuiltins\nbytearray\n(L100000000000L\ntR',
    b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L100000000000L\ntC\x01btR',
    b'cnumpy\nndarray\n((L100000000000L\nttR',
    b'ctorch\nTensor\n(L100000000000L\ntR',
    b'Nr\xff\xff\xff\x3f',
    b'B\xff\xff\xff\x7f',
    b'\x8d' + b'\xff' * 7 + b'\x3f',
    b'ccollections\ndeque\n(]L-1L\ntR',
    b'cnumpy\ndtype\n(VO\ntR',
    b'cnumpy\ndtype\n(VV8\ntR(K\x03V|\nN(Va\nt}KJ\xff\xff\xff\x7fK\x01K\x10tb',
    b'cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(Vi8\ntRC\x01xtR',
    b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\x01btR'
    b'(K\x01(J\xff\xff\xff\x7ftcnumpy\ndtype\n(VO\ntRI00\n]tb',
    b'c_codecs\nencode\n(Vabc\nVno such\ntR',
    b'0' * 9,
    b'(' * 10**5,
    b']' * 2000 + b'a' * 1999,
    b'}' + b'\x94h\0' * 9,
    *MEMORY_ATTACKS.values(),
)
NUMBERS = (0, -1, 3, 4, 5, 100, 2**16, 2**28, 2**31, 2**40, 2**62, 2**63, 2**64)


def _number(value: int) -> bytes:
    return f'L{value}L\n'.encode()


@st.composite
def tensors(draw: st.DrawFn) -> bytes:
    """Draw a pickled tensor of 4 numbers with arbitrary sizes."""
    number = st.sampled_from((4,) * 20 + NUMBERS)
    kind = draw(
        st.sampled_from(('Float',) * 6 + ('Byte', 'ComplexDouble', 'Untyped', 'No', 'QInt8'))
    )
    key = draw(st.sampled_from(('0',) * 9 + ('1', '../data.pkl', '')))
    place = draw(st.sampled_from(('cpu',) * 9 + ('cuda:7', 'meta', 'x')))
    storage = (
        f'(Vstorage\nctorch\n{kind}Storage\nV{key}\nV{place}\n'.encode()
        + _number(draw(number))
        + b'tQ'
    )
    offset = draw(st.sampled_from((0,) * 20 + NUMBERS))
    stride = draw(st.sampled_from((1,) * 20 + NUMBERS))
    shape = b'(' + _number(offset) + b'(' + _number(draw(number)) + b't(' + _number(stride) + b't'
    return (
        b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + shape[1:]
    ) + b'I00\nccollections\nOrderedDict\n)RtR'


@st.composite
def pickles(draw: st.DrawFn) -> bytes:
    """Draw a pickled dict with a tensor and, most of the time, hostile entries."""
    pairs = [b'Vw\n' + draw(tensors())]
    for _ in range(draw(st.integers(0, 2))):
        value = draw(st.one_of(st.sampled_from(GADGETS), st.sampled_from(BOMBS), tensors()))
        pairs.append(draw(st.sampled_from((b'Vx\n', b'Vmeta\n', b'Vstate_dict\n', b'N'))) + value)
    content = b'\x80\x02}(' + b''.join(pairs) + b'u.'
    return draw(mutated_bytes(st.just(content))) if draw(st.integers(0, 3)) == 0 else content


@st.composite
def containers(draw: st.DrawFn) -> bytes:
    """Draw a hostile pickle in torch.save's zip or legacy format, as TorchScript, or bare."""
    content = draw(pickles())
    kind = draw(st.sampled_from(('zip', 'zip', 'zip', 'script', 'legacy', 'bare')))
    if kind == 'bare':
        return content
    if kind == 'legacy':
        info = dict(protocol_version=1001, little_endian=True, type_sizes={})
        head = b''.join(pickle.dumps(value, 2) for value in (_MAGIC, 1001, info))
        # The legacy format has one more field in the storage's persistent ID.
        content = content.replace(b'tQ', b'NtQ')
        count = draw(st.sampled_from((4,) * 9 + (0, 2**40, 2**63 - 1)))
        return head + content + pickle.dumps(['0'], 2) + count.to_bytes(8, 'little') + bytes(16)
    file = io.BytesIO()
    packed = draw(st.sampled_from((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,)))
    with zipfile.ZipFile(file, 'w', packed) as archive:
        archive.writestr('x/data.pkl', content)
        archive.writestr('x/byteorder', draw(st.sampled_from(('little',) * 9 + ('big', 'x'))))
        size = draw(st.sampled_from((16,) * 9 + (0, 10**6)))
        archive.writestr('x/data/0', bytes(size))
        archive.writestr('x/version', draw(st.sampled_from(('3\n',) * 9 + ('99\n', 'x'))))
        if kind == 'script':
            archive.writestr('x/constants.pkl', draw(st.sampled_from((b'\x80\x02).', content))))
            archive.writestr(
                'x/code/__torch__/m.py', 'class M(Module):\n  __parameters__ = ["w"]\n'
            )
    return file.getvalue()


class _Module(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(4))

    def forward(self) -> torch.Tensor:
        return self.w


@functools.cache
def whole_files() -> dict[str, bytes]:
    """Return valid weight files of all formats."""
    compact = dict(
        arch=dict(embed_dim=4, quick_gelu=True),
        state_dict=dict(w=torch.ones(4)),
        token_embedding=dict(ids=torch.tensor([1, 2]), rows=torch.ones(2, 4), seed=0, std=0.1),
    )
    files = dict(safetensors=save(dict(w=torch.ones(4))))
    for name, content in (('plain', dict(w=torch.ones(4))), ('compact', compact)):
        for zipped in (True, False):
            file = io.BytesIO()
            torch.save(content, file, _use_new_zipfile_serialization=zipped)
            files[f'{name} {zipped}'] = file.getvalue()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(_Module()), file)
    files['script'] = file.getvalue()
    return files


@st.composite
def compact_files(draw: st.DrawFn) -> bytes:
    """Draw compact CLIP files with wrong values in their entries."""
    values = st.sampled_from(
        (None, 1, -1, 2**70, float('nan'), 'x', [], {}, dict(w=1), torch.ones(2))
    )
    content = torch.load(io.BytesIO(whole_files()['compact True']), weights_only=True)
    for _ in range(draw(st.integers(1, 2))):
        holder = draw(
            st.sampled_from((content, content.get('token_embedding'), content.get('arch')))
        )
        if isinstance(holder, dict) and holder:
            key = draw(st.sampled_from(sorted(holder)))
            holder[key] = draw(values)
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def weight_files() -> st.SearchStrategy:
    """Draw names and contents of weight files: whole, damaged and malicious."""
    whole = st.deferred(lambda: st.sampled_from(sorted(whole_files().items())))
    whole = whole.flatmap(lambda item: st.tuples(st.just(item[0]), mutated_bytes(st.just(item[1]))))
    made = st.tuples(st.just('x'), containers() | compact_files())
    return mixed(whole, made, made, made)
