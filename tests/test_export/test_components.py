import cv2
import numpy as np
import pytest

from mmseg_langseg.export.components import connected_components, split_holes
from tests.test_export.conftest import shapes


def holes(mask):
    background = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    return cv2.connectedComponents(background, connectivity=4)[0] - 2


def test_components_are_a_partition():
    labels = np.where(np.arange(53) % 7 == 0, -1, shapes())
    found = np.full(labels.shape, -1)
    for label, part, (top, left) in connected_components(labels):
        assert part.any(0)[[0, -1]].all() and part.any(1)[[0, -1]].all()
        place = found[top : top + part.shape[0], left : left + part.shape[1]]
        assert (place[part] == -1).all()
        place[part] = label
    assert np.array_equal(found, labels)


def checkerboard():
    return np.indices((301, 200)).sum(0) % 2 == 0


def rings():
    mask = np.zeros((41, 41), bool)
    for depth in range(0, 20, 2):
        mask[depth : 41 - depth, depth : 41 - depth] ^= True
    mask[20] = True
    return mask


def noise():
    return np.random.default_rng(3).random((90, 70)) < 0.7


@pytest.mark.parametrize('create', [checkerboard, rings, noise])
def test_parts_without_holes_are_a_partition(create):
    whole = create()
    for _, mask, _ in connected_components(whole.astype(int) - 1):
        found = np.zeros(mask.shape, int)
        for part, (top, left) in split_holes(mask):
            assert holes(part) == 0
            found[top : top + part.shape[0], left : left + part.shape[1]] += part
        assert np.array_equal(found, mask.astype(int))


def test_a_component_without_holes_is_one_part():
    mask = np.tri(5, dtype=bool)
    ((part, corner),) = split_holes(mask)
    assert np.array_equal(part, mask) and corner == (0, 0)
