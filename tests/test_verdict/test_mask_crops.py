"""Crops of masks: their place, background and sizes; embeddings by the model's own pooling."""

import numpy as np
import torch
import torch.nn.functional as F

from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.verdict.mask_crops import clip_tower, crop_masks, embed_crops
from tests.tiny import CONV, pixelclip


def mask_of(rows, columns, size=(30, 40)):
    mask = np.zeros(size, bool)
    mask[rows, columns] = True
    return mask


def test_a_crop_is_a_square_around_the_mask_on_the_mean_color():
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    mask = mask_of(slice(10, 20), slice(15, 21))
    (crop,) = crop_masks(rgb, encode_masks(mask[None]), 17, cut_out=True)
    # 10 rows, and 30 % and 4 pixels more.
    expected = np.where(mask[..., None], rgb, rgb.mean((0, 1)))[6:23, 9:26]
    np.testing.assert_allclose(crop, expected, rtol=1e-5)
    (crop,) = crop_masks(rgb, encode_masks(mask[None]), 24, cut_out=False)
    np.testing.assert_array_equal(crop, rgb[3:27, 6:30])


def test_crops_at_the_border_of_large_and_of_empty_masks():
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    masks = np.stack(
        [
            mask_of(slice(25, 30), slice(37, 40)),
            np.ones((30, 40), bool),
            np.zeros((30, 40), bool),
            mask_of(slice(0, 1), slice(0, 1)),
        ]
    )
    corner, whole, empty, pixel = crop_masks(rgb, encode_masks(masks), 16, cut_out=True)
    assert np.isfinite(corner).all() and np.isfinite(pixel).all()
    assert abs(whole.mean() - rgb.mean()) < 3
    np.testing.assert_allclose(empty, np.broadcast_to(rgb.mean((0, 1)), (16, 16, 3)), rtol=1e-5)
    # The mask's pixels are in the corner of the crop, as it was moved into the photo.
    assert not np.allclose(corner[-2:, -2:], rgb.mean((0, 1)), atol=1)
    np.testing.assert_allclose(corner[0, 0], rgb.mean((0, 1)), rtol=1e-4)


def test_embeddings_are_those_of_the_image_tower_also_without_square_images():
    for arch in ({}, {'arch': CONV}):
        model = pixelclip(**arch).eval()
        visual = clip_tower(model).visual
        rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        masks = np.random.default_rng(1).random((35, 30, 40)) > 0.5  # more than a batch
        found = embed_crops(model, rgb, encode_masks(masks), True)
        side = visual.image_size if isinstance(visual.image_size, int) else visual.image_size[0]
        crops = torch.from_numpy(np.stack(list(crop_masks(rgb, encode_masks(masks), side, True))))
        mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
        with torch.no_grad():
            expected = visual((crops.permute(0, 3, 1, 2) - mean) / std)
        assert found.shape == (35, model.backbone.embed_dim)
        cosines = F.cosine_similarity(found, expected)
        torch.testing.assert_close(cosines, torch.ones(35))
