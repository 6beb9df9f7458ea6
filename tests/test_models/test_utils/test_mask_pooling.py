"""Mask pooling by the transposed operator against pooling upsampled features."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.utils import bilinear_matrix, cosine_map, mask_pool, slot_in_image


def naive(features, masks, image_index):
    size = masks.shape[-2:]
    full = F.interpolate(features, size=size, mode='bilinear', align_corners=False)
    rows = []
    for mask, image in zip(masks, image_index.tolist(), strict=True):
        rows.append(full[image][:, mask].mean(1))
    return torch.stack(rows)


@pytest.mark.parametrize('grid, size', [((5, 5), (40, 40)), ((4, 7), (30, 26)), ((9, 3), (8, 8))])
def test_equals_pooling_of_upsampled_features(grid, size):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 6, *grid, generator=generator, dtype=torch.float32)
    masks = torch.rand(7, *size, generator=generator) > 0.6
    masks[2] = False
    masks[2, 3, 4] = True  # a mask of one pixel
    image_index = torch.tensor([0, 0, 2, 2, 2, 0, 2])  # image 1 has none
    torch.testing.assert_close(
        mask_pool(features, masks, image_index),
        naive(features, masks, image_index),
        rtol=1e-5,
        atol=1e-5,
    )


def test_no_masks_and_an_empty_mask():
    features = torch.randn(2, 4, 3, 3)
    none = mask_pool(features, torch.zeros(0, 8, 8, dtype=torch.bool), torch.zeros(0).long())
    assert none.shape == (0, 4)
    empty = mask_pool(features, torch.zeros(1, 8, 8, dtype=torch.bool), torch.tensor([1]))
    assert torch.equal(empty, torch.zeros(1, 4))


def test_bilinear_matrix_is_interpolate():
    signal = torch.randn(1, 1, 7)
    expected = F.interpolate(signal, size=20, mode='linear', align_corners=False)
    torch.testing.assert_close(bilinear_matrix(7, 20) @ signal[0, 0], expected[0, 0])


def test_slot_in_image():
    assert slot_in_image(torch.tensor([2, 0, 2, 2, 0]), 3).tolist() == [0, 0, 1, 2, 1]


def test_cosine_map():
    features, embeddings = torch.randn(2, 5, 3, 4), torch.randn(6, 5)
    scores = cosine_map(features.half(), embeddings)
    assert scores.dtype == torch.float32
    for k in range(6):
        expected = torch.cosine_similarity(
            features.half().float(), embeddings[k][None, :, None, None], dim=1
        )
        torch.testing.assert_close(scores[:, k], expected)
