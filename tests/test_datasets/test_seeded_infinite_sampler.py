import itertools
import pickle
import random

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader, Dataset

from mmseg_langseg.datasets import SeededInfiniteSampler
from tests.test_datasets.unlabeled_folders import build, damage_rle, write_sample


class Draws(Dataset):
    """Five samples: the index and draws of all generators."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        draws = random.random(), np.random.rand(), float(torch.rand(1))
        return torch.tensor([index, *draws], dtype=torch.float64)


def load(count, seed=3, **options):
    dataset = Draws()
    sampler = SeededInfiniteSampler(dataset, seed=seed)
    loader = DataLoader(dataset, sampler=sampler, **options)
    return torch.cat([*itertools.islice(loader, count // options['batch_size'])])


def test_order_of_mmengines_sampler_and_draws_of_seed_epoch_and_index():
    whole = load(12, batch_size=3)
    order = itertools.islice(InfiniteSampler(Draws(), seed=3), 12)
    assert whole[:, 0].tolist() == list(order)
    # All samples of two epochs and both further ones differ, in each generator.
    assert all(len(set(column.tolist())) == 12 for column in whole[:, 1:].T)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert torch.equal(load(12, batch_size=2, num_workers=2), whole)
    assert not set(load(12, seed=4, batch_size=3)[:, 1].tolist()) & set(whole[:, 1].tolist())


def test_a_visit_survives_pickling_with_its_epoch():
    """Workers that are spawned, not forked, get pickled indices."""
    sampler = SeededInfiniteSampler(Draws(), shuffle=False, seed=0)
    visit = pickle.loads(pickle.dumps([*itertools.islice(sampler, 7)][-1]))
    assert (visit, visit.epoch) == (1, 1)


def test_a_bad_file_is_replaced_by_the_same_sample_whoever_finds_it(tmp_path):
    for number in range(9):
        write_sample(tmp_path, f'{number}', num_masks=number + 2)
    for number in range(5):
        damage_rle(tmp_path, f'{number}')

    def draw(results):
        np.random.rand()  # before the step that fails
        return results

    dataset = build(tmp_path)
    dataset.pipeline.transforms.insert(0, draw)
    SeededInfiniteSampler(dataset, seed=0)
    found, known = (
        [dataset.__getitems__([index])[0]['data_samples'].img_path for index in range(5)]
        for _ in range(2)
    )
    assert dataset.num_skipped == 5 and found == known
