import os
import sys
from types import SimpleNamespace

import pytest
import torch.distributed as dist
from torch import nn

from mmseg_langseg.apis import leave_process_group
from tests.distributed import run_processes


def count_threads():
    return len(os.listdir('/proc/self/task'))


def leave(rank):
    # A reference cycle, as in a runner.
    runner = SimpleNamespace(model=nn.parallel.DistributedDataParallel(nn.Linear(1, 1)))
    runner.hook = SimpleNamespace(runner=runner)
    del runner
    before = dist.is_initialized(), count_threads()
    leave_process_group()
    return before, (dist.is_initialized(), count_threads())


@pytest.mark.multiprocess
@pytest.mark.skipif(sys.platform != 'linux', reason='counts threads in /proc')
def test_no_thread_of_the_group_outlives_it():
    for (grouped, threads), (still_grouped, left) in run_processes(leave, 2):
        assert grouped and not still_grouped
        # Gloo has one thread for connections and two workers.
        assert left <= threads - 3


def test_a_process_alone_has_no_group_to_leave():
    leave_process_group()
    assert not dist.is_initialized()
