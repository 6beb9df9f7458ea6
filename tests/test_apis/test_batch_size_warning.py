import re
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from mmengine.config import ConfigDict

from mmseg_langseg.apis import train


@pytest.mark.parametrize(
    'processes, per_process, schedule, warning',
    [
        (8, 6, dict(base_batch_size=48), None),
        (1, 48, dict(base_batch_size=48), None),
        (4, 6, dict(base_batch_size=48), r'24 images \(4 processes of 6\).*batch_size=12'),
        (1, 6, dict(base_batch_size=48), r'6 images .*made for 48.*batch_size=48'),
        (5, 6, dict(base_batch_size=48), r'30 images .* divides 48'),
        (4, 6, dict(base_batch_size=48, enable=True), None),
        (4, 6, None, None),
    ],
)
def test_a_batch_that_the_schedule_is_not_made_for(
    processes, per_process, schedule, warning, monkeypatch
):
    monkeypatch.setattr(train, 'get_world_size', lambda: processes)
    cfg = ConfigDict(train_dataloader=dict(batch_size=per_process), auto_scale_lr=schedule)
    runner = SimpleNamespace(cfg=cfg, logger=Mock())
    train.warn_of_batch_size(runner)
    if warning is None:
        runner.logger.warning.assert_not_called()
    else:
        (text,) = runner.logger.warning.call_args.args
        assert re.search(warning, text), text


def test_accumulated_batches_count_together(monkeypatch):
    cfg = ConfigDict(
        train_dataloader=dict(batch_size=12),
        optim_wrapper=dict(accumulative_counts=4),
        auto_scale_lr=dict(base_batch_size=48),
    )
    runner = SimpleNamespace(cfg=cfg, logger=Mock())
    train.warn_of_batch_size(runner)
    runner.logger.warning.assert_not_called()
