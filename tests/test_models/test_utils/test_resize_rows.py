"""Rows of a bilinearly resized image, computed without the others."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.utils import resize_rows, source_rows


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(31, 17), (7, 9), (3, 40), (1, 1), (200, 5)])
def test_rows_equal_those_of_the_whole_image(size, align_corners):
    image = torch.randn(3, 7, 9, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(image[None], size, mode='bilinear', align_corners=align_corners)[0]
    height = size[0]
    assert torch.equal(resize_rows(image, size, (0, height), None, align_corners), whole)
    for first in range(0, height, 2):
        for last in {first + 1, min(first + 4, height), height}:
            rows = (first, last)
            found = resize_rows(image, size, rows, None, align_corners)
            torch.testing.assert_close(found, whole[:, first:last], rtol=0, atol=2e-6)
            start, stop = source_rows(rows, 7, height, align_corners)
            part = image[:, start:stop]
            if rows != (0, height):
                again = resize_rows(part, size, rows, (start, 7), align_corners)
                assert torch.equal(again, found)


def test_an_image_of_the_size_is_copied():
    image = torch.randn(2, 4, 5)
    copy = resize_rows(image, (4, 5), (0, 4))
    assert torch.equal(copy, image) and copy.data_ptr() != image.data_ptr()
