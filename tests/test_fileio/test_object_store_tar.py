"""Tars in object stores on this machine.

S3 needs ``pip install s3fs 'moto[s3]' flask flask-cors``; gs needs ``pip install gcsfs
gcp-storage-emulator``.
"""

import itertools
import logging
import tarfile

import fsspec
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmseg_langseg.datasets import ShardShuffleSampler
from mmseg_langseg.fileio import RemoteTarIndex, StorageError
from tests.ports import free_port
from tests.test_datasets.unlabeled_folders import build, write_sample


def start_s3(monkeypatch):
    """Start moto's server."""
    pytest.importorskip('s3fs')
    moto = pytest.importorskip('moto.server')
    for name, value in (
        ('AWS_ACCESS_KEY_ID', 'any'),
        ('AWS_SECRET_ACCESS_KEY', 'any'),
        ('AWS_DEFAULT_REGION', 'us-east-1'),
    ):
        monkeypatch.setenv(name, value)
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setitem(fsspec.config.conf, 's3', dict(endpoint_url=f'http://{host}:{port}'))
    fsspec.filesystem('s3').makedirs('bucket', exist_ok=True)
    return server


def start_gs(monkeypatch):
    """Start an emulator, which lacks the gRPC service of Google Cloud."""
    # gcsfs reads it when it is imported.
    monkeypatch.setenv('GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT', 'false')
    pytest.importorskip('gcsfs')
    emulator = pytest.importorskip('gcp_storage_emulator.server')
    port = free_port()
    options = dict(in_memory=True, default_bucket='bucket')
    server = emulator.create_server('127.0.0.1', int(port), **options)
    server.start()
    monkeypatch.setenv('STORAGE_EMULATOR_HOST', f'http://127.0.0.1:{port}')
    monkeypatch.setitem(fsspec.config.conf, 'gs', dict(token='anon'))
    return server


@pytest.fixture(params=[('s3', start_s3), ('gs', start_gs)], ids=['s3', 'gs'])
def store(request, tmp_path, monkeypatch):
    """A server with the tars of a folder, which is also unpacked; yields it and its protocol."""
    protocol, start = request.param
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    server = start(monkeypatch)
    system = fsspec.filesystem(protocol)
    (tmp_path / 'tars').mkdir()
    for folder in 'abc':
        for number in range(4):
            write_sample(tmp_path, f'{folder}/{"1" * (number + 1)}', images='plain', masks='plain')
        with tarfile.open(tmp_path / f'tars/{folder}.tar', 'w') as archive:
            archive.add(tmp_path / 'plain' / folder, '.')
        system.put_file(f'{tmp_path}/tars/{folder}.tar', f'bucket/sa1b/{folder}.tar')
    yield server, protocol
    server.stop()


def load(root, workers):
    dataset = build(root, data_prefix=dict(img_path='', mask_path=''), on_bad_file='stop')
    sampler = ShardShuffleSampler(dataset, seed=1, num_shards=2, window=3)
    loader = DataLoader(
        dataset, sampler=sampler, batch_size=3, num_workers=workers, collate_fn=pseudo_collate
    )
    return list(itertools.islice(loader, 6))


def test_the_same_batches_as_from_files(store, tmp_path):
    _, protocol = store
    plain = load(tmp_path / 'plain', 0)
    for workers in (0, 2):
        loaded = load(f'tar+{protocol}://bucket/sa1b', workers)
        for batch, expected in zip(loaded, plain, strict=True):
            assert all(map(torch.equal, batch['inputs']['weak'], expected['inputs']['weak']))
            for one, other in zip(batch['data_samples'], expected['data_samples'], strict=True):
                assert torch.equal(one.masks, other.masks)


def test_changes_and_failures(store, tmp_path):
    server, protocol = store
    tars = f'{protocol}://bucket/sa1b'
    index = RemoteTarIndex(f'{tars}/a.tar')
    assert index.is_current() and index.read('1.jpg').startswith(b'\xff\xd8')
    with pytest.raises(FileNotFoundError):
        RemoteTarIndex(f'{tars}/d.tar')
    system = fsspec.filesystem(protocol)
    system.put_file(f'{tmp_path}/tars/b.tar', 'bucket/sa1b/a.tar')
    assert not index.is_current()
    server.stop()
    system.retries = 1
    with pytest.raises(StorageError, match=rf"'{tars}/a\.tar' cannot be read"):
        index.read('1.jpg')
