import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmseg_langseg.fileio import read_checkpoint, trusted_checkpoint
from tests.hostile_weights import write_command

FORMATS = pytest.mark.parametrize('legacy', [False, True])


def save(content, path, legacy=False):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@FORMATS
def test_what_trainings_save_comes_back(tmp_path, legacy):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    history = HistoryBuffer([1.0, 2.0, 4.0], [1, 1, 1])
    content = dict(
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        message_hub=dict(log_scalars={'loss': history}),
        meta=dict(classes=('a', 'b'), score=np.float64(0.5), step=np.int64(3), flag=np.bool_(True)),
        arrays=[np.arange(4, dtype=np.float32), np.array([1, 2], '>i2')],
        plain=[b'raw', b'', {1, 2}, 2j, slice(1, 2), None, torch.float16, torch.Size([2])],
        transposed=torch.arange(6).reshape(2, 3).t(),
        parameter=torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
    )
    path = save(content, tmp_path / 'a.pth', legacy)
    got = read_checkpoint(path)
    for name, value in model.state_dict().items():
        assert torch.equal(got['state_dict'][name], value), name
    assert got['optimizer']['state'][0]['exp_avg'].equal(
        optimizer.state[model[0].weight]['exp_avg']
    )
    assert got['meta'] == content['meta'] and got['plain'] == content['plain']
    assert all(np.array_equal(a, b) for a, b in zip(got['arrays'], content['arrays'], strict=True))
    assert got['transposed'].equal(content['transposed'])
    assert isinstance(got['parameter'], torch.nn.Parameter)
    restored = got['message_hub']['log_scalars']['loss']
    assert type(restored) is HistoryBuffer
    assert restored.mean() == history.mean() and restored.statistics('max') == 4
    # The result can be saved again, and reads back equal.
    again = read_checkpoint(save(got, tmp_path / 'b.pth'), mmap=True)
    assert again['transposed'].equal(content['transposed'])


@FORMATS
def test_a_command_is_named_and_not_run(tmp_path, legacy):
    path, marker = tmp_path / 'a.pth', tmp_path / 'ran'
    write_command(path, marker, legacy)
    with pytest.raises(ValueError, match=rf"a\.pth' holds '{os.name}\.system'.*--trust-checkpoint"):
        read_checkpoint(path)
    assert not marker.exists()


@FORMATS
def test_a_trusted_file_is_unpickled_and_no_other(tmp_path, legacy):
    path, other, marker = tmp_path / 'a.pth', tmp_path / 'b.pth', tmp_path / 'ran'
    write_command(path, marker, legacy)
    other.write_bytes(path.read_bytes())
    with trusted_checkpoint(path):
        with pytest.raises(ValueError, match='system'):
            read_checkpoint(other)
        assert not marker.exists()
        read_checkpoint(path)
    assert marker.exists()
    with pytest.raises(ValueError, match='system'):
        read_checkpoint(path)


class Reduced:
    """Pickles as a call of an arbitrary function."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    'value',
    [
        Reduced(eval, ('1',)),
        Reduced(getattr, (HistoryBuffer.mean, '__globals__')),
        Reduced(getattr, (torch.Size, '__mro__')),
        Reduced(np.dtype, ('O',)),
        Reduced(np.dtype, ([('a', 'O')],)),
        Reduced(bytes, (10**12,)),
        Reduced(torch.load, ('/etc/passwd',)),
        Reduced(torch.hub.load, ('owner/repository', 'model')),
        Reduced(torch._utils._rebuild_parameter, (torch.ones(1), False, {}), {'_function': eval}),
        torch.nn.Linear(1, 1),
        np.array([print], dtype=object),
    ],
)
def test_calls_and_classes_that_are_no_data_are_refused(tmp_path, value):
    path = save({'x': value}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(path)


def test_a_pickle_cannot_change_what_later_reads_use(tmp_path):
    """BUILD sets attributes of the classes that a pickle names."""
    hostile = tmp_path / 'a.pth'
    state = (None, {'__setstate__': None, 'mean': None})
    save({'x': 0}, hostile)
    content = (
        b'\x80\x02cmmengine.logging.history_buffer\nHistoryBuffer\n'
        + pickle.dumps(state, protocol=2)[2:-1]
        + b'b.'
    )
    with zipfile.ZipFile(hostile) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(hostile, 'w') as archive:
        for name, data in entries.items():
            archive.writestr(name, content if name.endswith('data.pkl') else data)
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(hostile)
    assert HistoryBuffer([1.0], [1]).mean() == 1
    path = save({'h': HistoryBuffer([3.0], [1])}, tmp_path / 'b.pth')
    assert read_checkpoint(path)['h'].mean() == 3


@FORMATS
def test_every_cut_is_named(tmp_path, legacy):
    path = save({'state_dict': {'a': torch.randn(100)}}, tmp_path / 'a.pth', legacy)
    whole = path.read_bytes()
    for size in [*range(0, 40), *range(40, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"a\.pth' is (not a|an empty)"):
            read_checkpoint(path)


def test_a_cut_file_does_not_quote_the_insides_of_torch(tmp_path):
    path = save({'state_dict': {'a': torch.randn(100)}}, tmp_path / 'a.pth')
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r'\(500 bytes\): truncated or damaged; ') as error:
        read_checkpoint(path)
    assert 'PytorchStreamReader' not in str(error.value)


def test_the_variable_that_forbids_other_readers_is_named(tmp_path, monkeypatch):
    path = save({'a': torch.ones(1), 'h': HistoryBuffer([3.0], [1])}, tmp_path / 'a.pth')
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    for trusted in (None, path):
        with (
            trusted_checkpoint(trusted),
            pytest.raises(ValueError, match=r"a\.pth' was not read: TORCH_FORCE.* Unset it"),
        ):
            read_checkpoint(path)


@pytest.mark.parametrize('content', [b'', b'hello', b'<html>', b'\x80\x02nonsense', b'PK\x03\x04'])
def test_other_files_are_named(tmp_path, content):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pth' is .*checkpoint.*download it again"):
        read_checkpoint(path)


def test_the_tar_format_is_not_unpacked(tmp_path):
    path = tmp_path / 'a.pth'
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(pickle.dumps(0, protocol=2)[:4]))
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(path)


def test_missing_file_and_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    save({'a': 1}, tmp_path / 'a.pth')
    assert read_checkpoint('~/a.pth') == {'a': 1}
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        read_checkpoint('gone.pth')


def change_zip(path, changes=(), packing=zipfile.ZIP_STORED):
    """Rewrite an archive with bytes of its pickle replaced."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', packing) as archive:
        for name, content in parts.items():
            for old, new in changes if name.endswith('/data.pkl') else ():
                assert content.count(old) == 1
                content = content.replace(old, new)
            archive.writestr(name, content)


def test_no_inverted_byte_changes_a_number_in_silence(tmp_path):
    content = {'a': torch.arange(30.0), 'b': [1, 2]}
    path = save(content, tmp_path / 'a.pth')
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        for mmap in (False, True):
            try:
                found = read_checkpoint(path, mmap=mmap)
            except ValueError as error:
                assert "a.pth'" in str(error)
            else:
                assert found['a'].equal(content['a']) and found['b'] == content['b'], place


def damage(path, number):
    """Invert a byte of a tensor that begins with this number."""
    whole = path.read_bytes()
    place = whole.index(torch.tensor([number]).numpy().tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])


def test_the_damaged_part_is_named_also_in_trusted_files_and_torchscript(tmp_path):
    path = save({'a': torch.full((9,), 0.7)}, tmp_path / 'a.pth')
    script = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(script.weight, 0.7)
    torch.jit.save(torch.jit.script(script), tmp_path / 'b.pt')
    for damaged in (path, tmp_path / 'b.pt'):
        damage(damaged, 0.7)
        for trusted in (None, damaged):
            with (
                trusted_checkpoint(trusted),
                pytest.raises(
                    ValueError,
                    match=rf"{damaged.name}' is not a complete checkpoint.*CRC-32.*data/0",
                ),
            ):
                read_checkpoint(damaged)


def test_files_without_checksums_are_read(tmp_path):
    """Torch writes zeros with torch.serialization.set_crc32_options(False)."""
    path = save({'a': torch.full((9,), 0.7)}, tmp_path / 'a.pth')
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            content = content.replace(entry.CRC.to_bytes(4, 'little'), bytes(4))
    path.write_bytes(content)
    assert read_checkpoint(path)['a'].tolist() == torch.full((9,), 0.7).tolist()


@pytest.mark.parametrize('mmap', [False, True])
def test_numbers_that_are_not_in_the_file_are_not_read(tmp_path, mmap):
    """Torch 2.5 reads beyond the storage's memory and crashes."""
    path = save(torch.ones(4), tmp_path / 'a.pth')
    size, shape = b'cpuq\x04K\x04', b'K\x00K\x04\x85'
    change_zip(path, [(old, old.replace(b'K\x04', b'J\0\0\0\x10')) for old in (size, shape)])
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(path, mmap=mmap).sum()


def test_quantized_numbers_are_refused(tmp_path):
    path = save(torch.ones(4, dtype=torch.int8), tmp_path / 'a.pth')
    change_zip(path, [(b'CharStorage', b'QInt8Storage')])
    with pytest.raises(ValueError, match=r'a\.pth.*storage of torch\.qint8'):
        read_checkpoint(path)


def test_a_small_archive_that_unpacks_to_a_large_one_is_refused(tmp_path):
    path = save(torch.zeros(5_000_000), tmp_path / 'a.pth')
    change_zip(path, packing=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    with pytest.raises(ValueError, match=r'a\.pth.*would unpack to 20000000 bytes'):
        read_checkpoint(path)


def test_a_few_bytes_do_not_fill_memory(tmp_path):
    path = tmp_path / 'a.pth'
    head = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})
    # Memoizes None at index 8,000,000, for which the C unpickler would allocate a table.
    content = b'\x80\x02Nr\x00\x12\x7a\x00.' + pickle.dumps([], 2)
    path.write_bytes(b''.join(pickle.dumps(part, 2) for part in head) + content)
    tracemalloc.start()
    assert read_checkpoint(path) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7
