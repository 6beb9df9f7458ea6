import argparse
import collections
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmseg_langseg.fileio import UnsafeFileError, read_checkpoint
from tests.hostile import save_command

CONTENT = {
    'state_dict': collections.OrderedDict(
        weight=torch.arange(6.0).reshape(2, 3).t(),
        half=torch.ones(2).half(),
        long=torch.tensor([1, 2]),
        parameter=torch.nn.Parameter(torch.ones(3)),
    ),
    'meta': {
        'cfg': 'a = 1',
        'iter': 3,
        'seed': np.int64(7),
        'loss': np.float32(0.5),
        'array': np.arange(3),
        'classes': ('a', 'b'),
        'palette': np.zeros((2, 3), np.uint8),
        'dtype': torch.float16,
        'device': torch.device('cpu'),
        'size': torch.Size([1, 2]),
        'set': {1, 2},
        'bytes': b'\x00\xff',
        'args': argparse.Namespace(lr=0.1),
        'counter': collections.Counter('aab'),
    },
    'message_hub': {'log_scalars': {'train/loss': HistoryBuffer([1.0, 2.0], [1, 1])}},
}


@pytest.mark.parametrize('legacy', [False, True])
def test_plain_content_comes_back(tmp_path, legacy):
    path = tmp_path / 'a.pth'
    torch.save(CONTENT, path, _use_new_zipfile_serialization=not legacy)
    got = read_checkpoint(path)
    for name, value in CONTENT['state_dict'].items():
        assert torch.equal(got['state_dict'][name], value)
        assert got['state_dict'][name].dtype == value.dtype
    for name, value in CONTENT['meta'].items():
        np.testing.assert_equal(got['meta'][name], value)
    assert got['message_hub']['log_scalars']['train/loss'].mean() == 1.5


@pytest.mark.parametrize('legacy', [False, True])
def test_code_is_refused_by_name_and_does_not_run(tmp_path, legacy):
    marker = tmp_path / 'RAN'
    path = save_command(tmp_path / 'bad.pth', marker, legacy=legacy)
    with pytest.raises(UnsafeFileError, match=r'bad\.pth.* holds (posix|nt)\.system'):
        read_checkpoint(path)
    assert not marker.exists()
    read_checkpoint(path, trust=True)
    assert marker.exists()


class _Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'function, arguments',
    [
        (eval, ('1',)),
        (getattr, (dict, 'get')),
        (pickle.loads, (b'',)),
        (torch.load, ('x',)),
        (torch.hub.load, ('x',)),
        (np.load, ('x',)),
        (open, ('x', 'w')),
        (torch.storage._load_from_bytes, (b'',)),
    ],
)
def test_every_other_function_is_refused(tmp_path, function, arguments):
    path = tmp_path / 'bad.pth'
    torch.save({'x': _Call(function, *arguments)}, path)
    with pytest.raises(UnsafeFileError, match=function.__name__):
        read_checkpoint(path)


def test_classes_of_programs_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'model.pth')
    with pytest.raises(UnsafeFileError, match=r'torch\.nn\.modules\.linear\.Linear'):
        read_checkpoint(tmp_path / 'model.pth')


def test_a_torchscript_archive_is_not_run(tmp_path):
    path = tmp_path / 'script.pt'
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    with pytest.raises(UnsafeFileError, match='TorchScript archive'):
        read_checkpoint(path)


def test_the_tar_format_is_refused(tmp_path):
    path = tmp_path / 'old.pth'
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            content = pickle.dumps(0)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with pytest.raises(UnsafeFileError, match='tar format'):
        read_checkpoint(path)


@pytest.mark.parametrize('kind', ['text', 'empty', 'noise', 'zip'])
def test_a_file_of_another_kind_is_named(tmp_path, kind):
    path = tmp_path / 'a.pth'
    path.write_bytes(
        dict(text=b'hello', empty=b'', noise=bytes(range(256)), zip=b'PK\x03\x04none')[kind]
    )
    with pytest.raises(ValueError, match=r'a\.pth.* is no checkpoint of torch\.save'):
        read_checkpoint(path)


@pytest.mark.parametrize('legacy', [False, True])
def test_a_cut_file_is_named_wherever_it_is_cut(tmp_path, legacy):
    path = tmp_path / 'cut.pth'
    torch.save(CONTENT, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    for length in range(1, len(content), len(content) // 23):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'cut\.pth'):
            read_checkpoint(path)


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='is a folder'):
        read_checkpoint(tmp_path)


def test_a_config_that_mmengine_would_run_on_resume_is_dropped(tmp_path):
    torch.save({'meta': {'config': 'import os', 'cfg': 'a = 1'}}, tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth')['meta'] == {'cfg': 'a = 1'}
