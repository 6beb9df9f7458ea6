import asyncio
import io
import os
import sys
import tarfile

import fsspec
import numpy as np
import pytest
import torch
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import prefix_to_backends

from mmseg_langseg.datasets import ShardShuffleSampler, UnlabeledMaskDataset
from mmseg_langseg.fileio import (
    BadFileError,
    RemoteTarBackend,
    RemoteTarIndex,
    StorageError,
    TarIndex,
    check_url,
    remote_storage,
)
from tests.test_datasets.unlabeled_folders import build, write_sample
from tests.test_fileio.test_tar_index import FILES, write_tar

URL = 'memory://bucket/sa1b'
TARRED = dict(data_prefix=dict(img_path='', mask_path=''))


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """A storage with two tars of two samples each; requests are listed."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    for folder in ('a', 'b'):
        for name in ('1', '22'):
            write_sample(tmp_path / 'plain', f'{folder}/{name}', images='', masks='')
        with tarfile.open(tmp_path / f'{folder}.tar', 'w') as archive:
            archive.add(tmp_path / 'plain' / folder, '.')
    system = fsspec.filesystem('memory')
    for folder in ('a', 'b'):
        system.put(f'{tmp_path}/{folder}.tar', f'/bucket/sa1b/{folder}.tar')
    system.requests = []
    real = MemoryFileSystem.cat_file

    def cat_file(self, path, start=None, end=None, **kwargs):
        system.requests.append(path)
        return real(self, path, start=start, end=end, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, 'cat_file', cat_file)
    yield system
    system.store.clear()


def test_remote_tars_give_the_same_samples_with_one_request_each(storage, tmp_path):
    plain = build(tmp_path / 'plain', **TARRED)
    dataset = build(f'tar+{URL}', on_bad_file='stop', **TARRED)
    assert [len(one) for one in (plain, dataset)] == [4, 4]
    ShardShuffleSampler(dataset, seed=0)
    storage.requests.clear()
    samples = dataset.__getitems__([0, 2, 3])
    # Two neighbors are a single range.
    assert storage.requests == [f'{URL}/a.tar', f'{URL}/b.tar']
    for index, sample in zip((0, 2, 3), samples, strict=True):
        assert torch.equal(sample['inputs']['weak'], plain[index]['inputs']['weak'])
        assert torch.equal(sample['data_samples'].masks, plain[index]['data_samples'].masks)
    assert samples[1]['data_samples'].img_path == f'tar+{URL}/b.tar/1.jpg'
    assert torch.equal(dataset[0]['inputs']['weak'], samples[0]['inputs']['weak'])
    assert len(storage.requests) == 4


def test_one_tar_and_a_list(storage):
    assert len(build(f'tar+{URL}/a.tar', **TARRED)) == 2
    storage.pipe('/bucket/sa1b/list.txt', b'b.tar/1\n')
    dataset = build(f'tar+{URL}', ann_file='list.txt', **TARRED)
    assert len(dataset) == 1 and dataset[0]['inputs']['weak'].shape == (3, 20, 30)


def test_paths(storage):
    storage.pipe('/bucket/sa1b/.hidden/c.tar', b'')
    backend = RemoteTarBackend()
    for path, is_folder, is_file in (
        (f'tar+{URL}', True, False),
        (f'tar+{URL}/', True, False),
        (f'tar+{URL}/a.tar', True, False),
        (f'tar+{URL}/a.tar/1.jpg', False, True),
        (f'tar+{URL}/a.tar/2.jpg', False, False),
        (f'tar+{URL}/c.tar/1.jpg', False, False),
    ):
        assert (backend.isdir(path), backend.isfile(path)) == (is_folder, is_file), path
    listed = backend.list_dir_or_file(f'tar+{URL}', False, suffix='.jpg', recursive=True)
    assert list(listed) == ['a.tar/1.jpg', 'a.tar/22.jpg', 'b.tar/1.jpg', 'b.tar/22.jpg']
    with pytest.raises(FileNotFoundError, match=r"'memory://.*a\.tar' contains no '2\.jpg'"):
        backend.get(f'tar+{URL}/a.tar/2.jpg')


def test_the_index_is_cached_and_follows_the_tar(storage, tmp_path, monkeypatch):
    write_tar(tmp_path / 'c.tar', FILES)
    storage.put(f'{tmp_path}/c.tar', '/bucket/c.tar')
    index = RemoteTarIndex('memory://bucket/c.tar')
    assert all(index.read(name.removeprefix('./')) == FILES[name] for name in FILES)
    cache = tmp_path / 'torch/hub/tar_indexes'
    assert sorted(os.listdir(cache)) == sorted([index.cache_path.name, 'lock'])
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, 'open', lambda *_, **__: pytest.fail('the tar was read again'))
        assert RemoteTarIndex('memory://bucket/c.tar').names == index.names
    write_tar(tmp_path / 'c.tar', {'new.jpg': b'new'})
    storage.put(f'{tmp_path}/c.tar', '/bucket/c.tar')
    assert not index.is_current()
    assert RemoteTarIndex('memory://bucket/c.tar').names == ['new.jpg']


@pytest.mark.parametrize('beside', ['fits', 'other size', 'other tar', 'leads out', 'noise'])
def test_an_index_uploaded_with_the_tar_is_copied_if_it_fits(
    storage, tmp_path, monkeypatch, beside
):
    write_tar(tmp_path / 'c.tar', FILES)
    storage.put(f'{tmp_path}/c.tar', '/bucket/c.tar')
    local = TarIndex(tmp_path / 'c.tar')
    with np.load(local.cache_path) as kept:
        arrays = dict(kept)
    if beside == 'other size':
        arrays['stamp'][0] += 512
    elif beside == 'other tar':
        arrays['offsets'] += 512
    elif beside == 'leads out':
        arrays['names'][0] = b'../x'
    content = io.BytesIO()
    np.savez(content, **arrays)
    storage.pipe('/bucket/c.tar.index.npz', b'' if beside == 'noise' else content.getvalue())
    scans, scan = [], TarIndex._scan
    monkeypatch.setattr(TarIndex, '_scan', lambda self: scans.append(1) or scan(self))
    for _ in range(2):
        assert RemoteTarIndex('memory://bucket/c.tar').names == local.names
    assert len(scans) == (beside != 'fits')


def test_a_storage_that_cannot_be_read_ends_a_training_that_skips_bad_files(storage, monkeypatch):
    dataset = build(f'tar+{URL}', on_bad_file='skip', **TARRED)
    assert len(dataset) == 4

    def refuse(*_, **__):
        raise TimeoutError('no answer\nafter 60 s')

    for name in ('cat_file', 'info', 'find'):
        monkeypatch.setattr(MemoryFileSystem, name, refuse)
    dataset.prefetch_files([1])
    with pytest.raises(
        StorageError, match=r"a\.tar' cannot be read \(TimeoutError: no answer after"
    ):
        dataset[1]
    assert dataset.num_skipped == 0
    with pytest.raises(StorageError, match=f"'{URL}' cannot be read"):
        build(f'tar+{URL}', **TARRED).full_init()


def test_what_is_wrong_is_named(storage, monkeypatch):
    storage.pipe('/bucket/c.tar', storage.cat_file('/bucket/sa1b/a.tar')[:3000])
    with pytest.raises(BadFileError, match=r"'memory://bucket/c\.tar' is (truncated|not)"):
        RemoteTarIndex('memory://bucket/c.tar')
    index = RemoteTarIndex(f'{URL}/a.tar')
    storage.pipe('/bucket/sa1b/a.tar', b'short')
    with pytest.raises(OSError, match=r"a\.tar' ends within '1.jpg'"):
        index.read('1.jpg')
    with pytest.raises(FileNotFoundError, match=f'folder tar[+]{URL}/c/? does not exist'):
        build(f'tar+{URL}/c', **TARRED).full_init()


@pytest.mark.parametrize(
    ('protocol', 'package'), [('s3', 's3fs'), ('gs', 'gcsfs'), ('az', 'adlfs')]
)
def test_a_missing_package_is_named(monkeypatch, protocol, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"'{protocol}://b' .*{package}.*langseg\[cloud\]"):
        build(f'tar+{protocol}://b', **TARRED).full_init()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(data_root='s3://b'), r"'s3://b' cannot be read; .*'tar\+s3://b' reads files"),
        (dict(data_root='https://host/b'), r"'tar\+https://host/b' reads files"),
        (dict(data_prefix=dict(img_path='gs://b/a')), r"'tar\+gs://b/a' reads files"),
        (dict(data_root='tar+foo://b'), r"scheme 'tar\+foo'; expected .* gs, .*langseg\[cloud\]"),
        (dict(data_root='tar://b', ann_file='foo://b/list.txt'), r"'foo://b/list.txt' has the"),
    ],
)
def test_a_url_that_cannot_be_read_is_named_with_one_that_can(settings, message):
    with pytest.raises(ValueError, match=message):
        UnlabeledMaskDataset(**settings)


def test_other_backends_of_mmengine_are_left_alone(tmp_path, monkeypatch):
    write_sample(tmp_path, '1')
    monkeypatch.setitem(prefix_to_backends, 'own', LocalBackend)
    check_url('own://b')
    check_url('cluster:own://b')
    assert len(build(tmp_path, backend_args=dict(backend='local'))) == 1


class SilentFileSystem(AsyncFileSystem):
    """A storage that has stopped answering."""

    protocol = 'silent'

    async def _wait(self, *args, **kwargs):
        await asyncio.sleep(600)

    _info = _cat_file = _cat_ranges = _find = _wait


@pytest.mark.parametrize('method', ['info', 'cat_file', 'cat_ranges', 'find'])
def test_a_storage_that_does_not_answer_ends_the_run(monkeypatch, method):
    fsspec.register_implementation('silent', SilentFileSystem, clobber=True)
    for name in ('PATIENCE', 'LISTING_PATIENCE'):
        monkeypatch.setattr(remote_storage, name, 0.1)
    url = 'silent://bucket/a.tar'
    with pytest.raises(StorageError, match=rf"'{url}' cannot be read \(TimeoutError: no answer"):
        remote_storage.request(url, method, url)


def test_an_index_needs_few_requests(storage, tmp_path):
    """Headers are read in large blocks, whatever the size of the entries."""
    with tarfile.open(tmp_path / 'large.tar', 'w') as archive:
        for name, size in (('first', 2**24), ('second', 10), ('third', 2**23 + 1), ('last', 0)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            archive.addfile(entry, io.BytesIO(os.urandom(size)))
    storage.put(f'{tmp_path}/large.tar', '/bucket/sa1b/large.tar')
    storage.requests.clear()
    index = RemoteTarIndex(f'{URL}/large.tar')
    # One of them asks for an uploaded index; 24 MiB are at most three blocks and the end.
    assert len(storage.requests) <= 5
    local = TarIndex(tmp_path / 'large.tar')
    assert index.names == local.names == ['first', 'last', 'second', 'third']
    assert [index.place(name) for name in index.names] == [local.place(n) for n in local.names]
    assert index.read('second') == local.read('second')
