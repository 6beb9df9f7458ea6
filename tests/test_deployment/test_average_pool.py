"""Adaptive pooling as matrix products."""

import torch
from torch import nn

from mmseg_langseg.deployment.average_pool import replace_adaptive_pooling


def test_pools_are_replaced_by_equal_ones():
    pools = nn.ModuleList(nn.AdaptiveAvgPool2d(size) for size in (1, 3, (6, 2), (None, 5), 11))
    maps = torch.randn(2, 3, 7, 10, generator=torch.Generator().manual_seed(0))
    wanted = [pool(maps) for pool in pools]
    replace_adaptive_pooling(pools)
    for pool, expected in zip(pools, wanted, strict=True):
        assert type(pool) is not nn.AdaptiveAvgPool2d
        torch.testing.assert_close(pool(maps), expected)
