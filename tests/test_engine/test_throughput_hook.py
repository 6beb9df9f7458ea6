"""Images per second and the share of the time spent waiting for data."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub

from mmseg_langseg.engine.hooks import ThroughputHook, throughput_hook

BATCH = dict(inputs={}, data_samples=[None] * 6)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize('processes', [1, 4])
def test_means_of_an_interval(processes, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput_hook.time, 'perf_counter', clock)
    # All processes take the same time here.
    monkeypatch.setattr(throughput_hook, 'all_reduce', lambda sums: sums.mul_(processes))
    hub = MessageHub(f'throughput_{processes}')
    runner = SimpleNamespace(hooks=[LoggerHook(interval=2)], message_hub=hub)
    hook = ThroughputHook()
    hook.before_train(runner)
    published = []
    for iteration in range(6):
        clock.now += 1.0 if iteration else 60.0  # the start of the data loader does not count
        hook.before_train_iter(runner, iteration, BATCH)
        scalars = hub.log_scalars
        published.append([buffer.current() for buffer in scalars.values()])
        clock.now += 3.0 if iteration < 2 else 7.0
        hook.after_train_iter(runner, iteration, BATCH)
        if iteration == 4:
            clock.now += 1000.0
            hook.after_val(runner)
    assert list(scalars) == ['train/images_per_second', 'train/data_wait_share']
    first, second = [6 / 4 * processes, 1 / 4], [12 / 12 * processes, 2 / 12]
    third = [12 / 16 * processes, 2 / 16]
    expected = [[], first, first, second, second, third]
    for got, wanted in zip(published, expected, strict=True):
        assert got == pytest.approx(wanted)
