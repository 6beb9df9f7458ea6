import numpy as np
import pytest
import torch

from tests.test_masks.tiny_sam import SIZES, build_tiny_sam


@pytest.fixture(scope='module')
def tiny_sam():
    torch.manual_seed(0)
    return build_tiny_sam()


@pytest.fixture(scope='module')
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]
