import pytest
import torch.distributed as dist

from mmseg_langseg.apis import leave_process_group
from tests.distributed import run_processes


def leave(rank):
    before = dist.is_initialized()
    leave_process_group()
    return before, dist.is_initialized()


@pytest.mark.multiprocess
def test_processes_leave_their_group():
    assert run_processes(leave, 2) == [(True, False)] * 2


def test_a_process_alone_has_no_group_to_leave():
    leave_process_group()
    assert not dist.is_initialized()
