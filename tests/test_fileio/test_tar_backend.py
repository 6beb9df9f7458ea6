import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmseg_langseg.fileio import BadFileError, ImageFileError, TarBackend
from tests.test_datasets.unlabeled_folders import build, truncate, write_sample

# Images and masks side by side, as in SA-1B's tar archives.
TARRED = dict(data_prefix=dict(img_path='', mask_path=''))
NAMES = ('sa_1', 'sa_2', 'sa_30')


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(NAMES):
        write_sample(tmp_path / 'plain', f'sa_00000{number % 2}/{name}', masks='', images='')
    (tmp_path / 'tars').mkdir()
    for number in range(2):
        pack(tmp_path / 'plain', tmp_path / 'tars', f'sa_00000{number}')
    return tmp_path


def pack(plain, tars, folder):
    with tarfile.open(tars / f'{folder}.tar', 'w') as archive:
        archive.add(plain / folder, '.')


def url(root):
    return f'tar://{root}/tars'


def test_tars_give_the_same_samples_as_folders(root):
    plain = build(root / 'plain', **TARRED)
    tarred = build(url(root), on_bad_file='stop', **TARRED)
    assert len(tarred) == len(plain) == 3
    for i in range(3):
        one, other = plain[i], tarred[i]
        assert torch.equal(one['inputs']['weak'], other['inputs']['weak'])
        assert torch.equal(one['data_samples'].masks, other['data_samples'].masks)
    assert tarred[0]['data_samples'].img_path == f'{url(root)}/sa_000000.tar/sa_1.jpg'
    made = sorted(os.listdir(root / 'tars'))
    assert made == [f'sa_00000{i}.tar{suffix}' for i in (0, 1) for suffix in ('', '.index.npz')]


def test_one_tar_a_list_and_masks_elsewhere(root):
    dataset = build(f'{url(root)}/sa_000000.tar', **TARRED)
    assert len(dataset) == 2 and dataset[1]['inputs']['weak'].shape == (3, 20, 30)
    (root / 'tars/list.txt').write_text('sa_000001.tar/sa_2\n')
    dataset = build(url(root), ann_file='list.txt', **TARRED)
    assert len(dataset) == 1 and len(dataset[0]['data_samples'].masks) == 2
    (root / 'plain/sa_000000').rename(root / 'sa_000000.tar')
    prefix = dict(img_path='tars/sa_000000.tar', mask_path='sa_000000.tar')
    dataset = build(f'tar://{root}', data_prefix=prefix)
    assert len(dataset) == 2 and len(dataset[0]['data_samples'].masks) == 2


def test_worker_processes_read_the_same_tar(root):
    dataset = build(url(root), on_bad_file='stop', **TARRED)
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=pseudo_collate)
    found = [batch['inputs']['weak'][0] for batch in loader]
    assert all(torch.equal(found[i], dataset[i]['inputs']['weak']) for i in range(3))
    assert len(pickle.loads(pickle.dumps(dataset))) == 3


def test_a_bad_file_in_a_tar_is_named_and_skipped(root):
    truncate(root / 'plain/sa_000001/sa_2.jpg')
    pack(root / 'plain', root / 'tars', 'sa_000001')
    with pytest.raises(ImageFileError, match=r'sa_000001\.tar/sa_2\.jpg: image cannot .*truncated'):
        build(url(root), on_bad_file='stop', **TARRED)[2]
    dataset = build(url(root), **TARRED)
    assert 'sa_2.' not in dataset[2]['data_samples'].img_path and dataset.num_skipped == 1


def test_a_damaged_tar_stops_before_training(root):
    truncate(root / 'tars/sa_000001.tar', 0.1)
    with pytest.raises(BadFileError, match=r"sa_000001\.tar' is (truncated|not an uncompressed)"):
        build(url(root), **TARRED)


def test_paths(root):
    backend = TarBackend()
    (root / 'tars/deep.tar').mkdir()
    (root / 'tars/deep.tar/note.txt').write_text('ä')
    base = f'{url(root)}/sa_000000.tar'
    for path, is_dir, is_file in (
        (url(root), True, False),
        (base, True, False),
        (f'{base}/', True, False),
        (f'{base}/sa_1.jpg', False, True),
        (f'{base}/sa_1', False, False),
        (f'{url(root)}/deep.tar', True, False),
        (f'{url(root)}/deep.tar/note.txt', False, True),
        (f'{url(root)}/gone.tar/1.jpg', False, False),
    ):
        assert (backend.isdir(path), backend.isfile(path)) == (is_dir, is_file), path
        assert backend.exists(path) == (is_dir or is_file)
    assert backend.get_text(f'{url(root)}/deep.tar/note.txt') == 'ä'
    listed = backend.list_dir_or_file(url(root), list_dir=False, suffix='.json', recursive=True)
    assert list(listed) == [
        'sa_000000.tar/sa_1.json',
        'sa_000000.tar/sa_30.json',
        'sa_000001.tar/sa_2.json',
    ]
    with pytest.raises(NotImplementedError, match='without folders'):
        next(backend.list_dir_or_file(url(root)))
    with pytest.raises(FileNotFoundError):
        backend.get(f'{url(root)}/gone.tar/1.jpg')


def test_an_unreadable_folder_is_named(root, monkeypatch):
    real = os.scandir

    def scandir(path='.'):
        if str(path).endswith('sa_000001'):
            raise PermissionError(13, 'Permission denied', str(path))
        return real(path)

    # The tests may run as root, who ignores permissions.
    monkeypatch.setattr(os, 'scandir', scandir)
    for prefix in ('', 'tar://'):
        with pytest.raises(PermissionError, match=r"listed completely .*denied\): '.*sa_000001'"):
            build(f'{prefix}{root}/plain', **TARRED)


def test_masks_are_filtered_alike_in_all_processes(root):
    write_sample(root / 'plain', 'sa_000000/sa_1', 9, masks='', images='')
    pack(root / 'plain', root / 'tars', 'sa_000000')
    steps = [
        dict(type='LoadUnlabeledImage'),
        dict(type='LoadUnlabeledMasks', mask_filter=dict(max_masks=3, seed=5)),
        dict(type='PackMaskInputs', mask_size=(20, 30)),
    ]
    dataset = build(root / 'plain', pipeline=steps, on_bad_file='stop', **TARRED)
    loader = DataLoader(dataset, batch_size=1, num_workers=1, collate_fn=pseudo_collate)
    np.random.seed(0)
    masks = next(iter(loader))['data_samples'][0].masks
    assert len(masks) == 3 and torch.equal(dataset[0]['data_samples'].masks, masks)
    tarred = build(f'{url(root)}/sa_000000.tar', pipeline=steps, on_bad_file='stop', **TARRED)
    assert torch.equal(tarred[0]['data_samples'].masks, masks)
