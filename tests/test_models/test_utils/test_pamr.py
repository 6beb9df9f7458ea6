"""PAMR against the official code, and against its definition pixel by pixel."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.utils import pamr_affinity, refine_scores
from tests import golden


@pytest.mark.parametrize('steps, dilations', [(1, (1,)), (10, (8, 16)), (10, (1, 2, 4, 8, 12, 24))])
def test_equals_the_official_code(steps, dilations):
    image, scores = (
        golden.tensor('protocol', 'pamr.image'),
        golden.tensor('protocol', 'pamr.scores'),
    )
    scores = F.interpolate(scores, image.shape[2:], mode='bilinear', align_corners=True)
    found = refine_scores(scores, pamr_affinity(image, dilations), dilations, steps)
    expected = golden.load('protocol')[
        f'pamr.steps{steps}.dilations{"_".join(map(str, dilations))}'
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=2e-5)


def test_one_pixel_by_hand():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 5, 6, generator=generator)
    scores = torch.rand(1, 2, 5, 6, generator=generator)
    y, x = 0, 4  # at the border: rows above repeat the first
    near = [(max(y + dy, 0), x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    std = torch.stack([image[0, :, i, j] for i, j in near]).std(0)
    near.remove((y, x))  # one of its copies is a neighbor above
    kernel = [
        (-(image[0, :, y, x] - image[0, :, i, j]).abs() / (1e-8 + 0.1 * std)).mean()
        for i, j in near
    ]
    weights = torch.stack(kernel).softmax(0)
    expected = sum(w * scores[0, :, i, j] for w, (i, j) in zip(weights, near, strict=True))
    found = refine_scores(scores, pamr_affinity(image, (1,)), (1,), 1)[0, :, y, x]
    torch.testing.assert_close(found, expected)
