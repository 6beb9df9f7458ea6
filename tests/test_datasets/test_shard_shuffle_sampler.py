import itertools
import tarfile

import numpy as np
import pytest
import torch
from mmengine.dataset import sampler as mmengine_sampler
from torch.utils.data import DataLoader, Dataset

from mmseg_langseg.datasets import ShardShuffleSampler, shard_shuffle_sampler
from tests.test_datasets.unlabeled_folders import build, write_sample


class Numbers(Dataset):
    """Samples that are their indices, in shards of given sizes."""

    def __init__(self, *sizes):
        self.ends = np.cumsum(sizes)

    def __len__(self):
        return int(self.ends[-1])

    def __getitem__(self, index):
        return index

    def shards(self):
        return np.split(np.arange(len(self)), self.ends[:-1])


@pytest.fixture
def make(monkeypatch):
    def build_sampler(dataset, rank=0, processes=1, **options):
        monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda: (rank, processes))
        return ShardShuffleSampler(dataset, seed=3, **options)

    return build_sampler


def first(sampler, count):
    return list(itertools.islice(sampler, count))


@pytest.mark.parametrize('sizes', [(5, 7, 3, 9), (1,), (10, 1, 1, 1, 30)])
@pytest.mark.parametrize('processes', [1, 2, 3, 8])
def test_each_sample_is_drawn_once_per_epoch_and_any_position_is_resumed(make, sizes, processes):
    dataset, options = Numbers(*sizes), dict(num_shards=2, window=4)
    count = 3 * len(dataset)
    streams = [first(make(dataset, rank, processes, **options), count) for rank in range(processes)]
    for epoch in range(3):
        drawn = [visit for stream in streams for visit in stream if visit.epoch == epoch]
        assert sorted(drawn) == list(range(len(dataset)))
    for rank, stream in enumerate(streams):
        for position in range(0, count - 4, 3):
            sampler = make(dataset, rank, processes, **options)
            sampler.skip(position)
            resumed, expected = first(sampler, 4), stream[position : position + 4]
            assert resumed == expected
            assert [visit.epoch for visit in resumed] == [visit.epoch for visit in expected]


def test_epochs_seeds_and_shuffle(make):
    dataset = Numbers(20, 30)
    order = first(make(dataset), 100)
    assert order[:50] != order[50:]
    assert first(ShardShuffleSampler(dataset, seed=4), 50) != order[:50]
    assert first(make(dataset, shuffle=False), 60) == [*range(50), *range(10)]


def test_a_sample_moves_less_than_a_window(make):
    """Also between the shards, of which few are read at a time."""
    dataset = Numbers(*[100] * 12)
    order = np.array(first(make(dataset, num_shards=3, window=24), 1200))
    shards = order // 100
    for start in range(0, 1200, 300):
        assert len(set(shards[start : start + 300].tolist())) == 3
    assert all(len(set(shards[start : start + 24].tolist())) == 3 for start in range(0, 250, 24))
    for shard in range(12):
        samples = order[shards == shard] % 100
        # At most 23 places, of which others belong to the other two shards.
        moved = np.abs(samples - np.arange(100)).max()
        assert 0 < moved < 24, moved
    # With a window of one sample, each shard is read in its order.
    order = np.array(first(make(dataset, num_shards=3, window=1), 1200))
    assert all((np.diff(order[order // 100 == shard]) == 1).all() for shard in range(12))


def test_processes_with_workers_do_not_overlap(make):
    dataset = Numbers(7, 12, 5)
    drawn = []
    for rank in range(2):
        sampler = make(dataset, rank, 2, num_shards=2, window=4)
        loader = DataLoader(dataset, batch_size=3, sampler=sampler, num_workers=2)
        drawn += torch.cat(list(itertools.islice(loader, 4))).tolist()
    assert sorted(drawn) == list(range(24))


def test_shards_of_a_dataset(tmp_path):
    """A tar is a shard in its stored order, outside tars a folder is one."""
    names = ('a/3', 'a/1', 'a/2', 'b/2', 'b/1')
    for name in names:
        write_sample(tmp_path, name, images='plain', masks='plain')
    (tmp_path / 'tars').mkdir()
    with tarfile.open(tmp_path / 'tars/x.tar', 'w') as archive:
        for name in names:
            for suffix in ('.jpg', '.json'):
                archive.add(tmp_path / f'plain/{name}{suffix}', name + suffix)
    (tmp_path / 'tars/y').symlink_to(tmp_path / 'plain')
    prefix = dict(img_path='', mask_path='')
    folders = build(tmp_path / 'plain', data_prefix=prefix).shards()
    assert [shard.tolist() for shard in folders] == [[0, 1, 2], [3, 4]]
    mixed = build(f'tar://{tmp_path}/tars', data_prefix=prefix).shards()
    assert [shard.tolist() for shard in mixed] == [[2, 0, 1, 4, 3], [5, 6, 7], [8, 9]]


def test_bad_options_are_named_and_a_single_shard_is_logged(make, monkeypatch):
    with pytest.raises(ValueError, match='window should be a positive integer, got 0'):
        make(Numbers(3), window=0)
    with pytest.raises(ValueError, match='num_samples should not be negative, got -1'):
        make(Numbers(3)).skip(-1)
    with pytest.raises(TypeError, match='TensorDataset has no shards'):
        make(torch.utils.data.TensorDataset(torch.zeros(3)))
    lines = []
    monkeypatch.setattr(shard_shuffle_sampler, 'print_log', lambda text, **_: lines.append(text))
    make(Numbers(5), window=5), make(Numbers(3, 2), window=4)
    assert not lines
    make(Numbers(5), window=4)
    assert 'all 5 samples are in a single tar or folder' in lines[0]
