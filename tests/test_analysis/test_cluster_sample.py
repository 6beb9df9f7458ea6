import numpy as np
from PIL import Image

from mmseg_langseg.analysis import ClusterSample, ContactSheet, NearWord, crop_mask


def fill(sample, cluster, count, label=-1):
    for number in range(count):
        place = sample.place(cluster, label)
        if place is not None:
            sample.keep(cluster, place, np.full((4, 4, 3), number, np.uint8))


def test_every_mask_is_kept_with_the_same_probability():
    kept = np.zeros(20)
    for seed in range(500):
        sample = ClusterSample(1, 5, seed=seed)
        fill(sample, 0, 20)
        numbers = [int(crop[0, 0, 0]) for crop in sample.crops[0]]
        assert len(set(numbers)) == 5
        kept[numbers] += 1
    # 125 expected, standard deviation 9.7.
    assert abs(kept - 125).max() < 45
    assert sample.masks.tolist() == [20]


def test_purity_is_the_share_of_the_most_frequent_label():
    sample = ClusterSample(4, 2, num_labels=3)
    fill(sample, 0, 6, label=1)
    fill(sample, 0, 2, label=0)
    fill(sample, 1, 3, label=2)
    fill(sample, 2, 5)
    assert sample.purity() == [0.75, 1.0, None, None]
    assert sample.mean_purity() == 9 / 11
    assert sample.masks.tolist() == [8, 3, 5, 0]
    assert ClusterSample(2, 3).mean_purity() is None and ClusterSample(2, 3).purity() == [None] * 2


def test_a_sheet_has_a_row_per_cluster_and_names_empty_ones():
    sample = ClusterSample(3, 4, num_labels=2)
    fill(sample, 0, 1, label=0)
    fill(sample, 2, 9, label=1)
    nearest = [[NearWord('fish | chips', 0, 0.5)], [], [NearWord('x' * 300, 1, 0.25)]]
    sheet = ContactSheet(sample, nearest, 8, ['ten masks'], ['cat', 'dog'])
    assert sheet.table().splitlines()[2:] == [
        f'| 2 | 9 | {"x" * 300} 0.25 | dog | 100% |',
        '| 0 | 1 | fish \\| chips 0.50 | cat | 100% |',
        '| 1 | 0 |  |  |  |',
    ]
    assert sheet.record()['clusters'][0] == dict(
        cluster=0, masks=1, nearest=[dict(word='fish | chips', cosine=0.5)], purity=1.0,
        labels={'cat': 1},
    )  # fmt: skip
    drawn = np.asarray(sheet.draw())
    # Crops have the gray value of their number; the first row is that of the largest cluster.
    assert (drawn[:50] == sample.crops[2][3][0, 0]).all(2).sum() >= 16
    more = ClusterSample(3, 4, num_labels=2)
    fill(more, 0, 1, label=0)
    assert (
        drawn.shape[0]
        > np.asarray(ContactSheet(more, nearest, 8, ['ten masks'], ['a', 'b']).draw()).shape[0]
    )


def test_a_sheet_without_masks_is_drawn():
    sheet = ContactSheet(ClusterSample(2, 4), [[], []], 8, ['no masks'])
    assert isinstance(sheet.draw(), Image.Image)


def test_a_crop_shows_the_mask_in_its_colors_and_fades_the_rest():
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, :, 2] = 200
    mask = np.zeros((20, 20), bool)
    mask[4:10, 10:13] = True
    crop = crop_mask(image, mask, 60)
    assert max(crop.shape) == 60
    center = crop[crop.shape[0] // 2, crop.shape[1] // 2]
    assert center.tolist() == [0, 0, 200] and (crop[0, 0] > 150).all()


def test_crops_of_thin_images_and_borders():
    for shape in ((200, 3), (3, 200), (1, 1), (64, 64)):
        mask = np.zeros((16, 16), bool)
        mask[0, 15] = mask[1, 15] = True
        crop = crop_mask(np.zeros((*shape, 3), np.uint8), mask, 32)
        assert crop.dtype == np.uint8 and max(crop.shape[:2]) == 32 and min(crop.shape[:2]) >= 1
