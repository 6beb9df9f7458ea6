"""Running mean against a loop."""

import pytest
import torch

from mmseg_langseg.models.utils import RunningMean


def test_first_rows_set_it_and_later_ones_move_it():
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(count, 3, generator=generator) for count in (4, 0, 5)]
    batches[2][1] = 0
    mean = RunningMean(3, momentum=0.7)
    expected = None
    for rows in batches:
        mean.update(rows)
        counted = [row for row in rows if row.any()]
        if counted:
            new = sum(counted) / len(counted)
            expected = new if expected is None else 0.7 * expected + 0.3 * new
        torch.testing.assert_close(mean.value, expected)
    assert 'value' in mean.state_dict()


def test_momentum_is_a_share():
    with pytest.raises(ValueError, match=r'momentum=1\.5'):
        RunningMean(3, momentum=1.5)
