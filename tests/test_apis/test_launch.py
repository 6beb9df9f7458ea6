import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import nn

from mmseg_langseg.apis import leave_process_group, run_training
from tests.distributed import run_processes
from tests.test_tools.test_train_and_test import free_port


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU, this is MMEngine's task")
def test_slurm_processes_without_a_gpu(tiny_config, tmp_path, monkeypatch):
    """With a stand-in for ``scontrol``, which names the hosts of the job."""
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$3" = "local[host,other]" ] && echo localhost\necho other\n')
    scontrol.chmod(0o755)
    monkeypatch.setattr(os, 'environ', os.environ.copy())
    for name in ('MASTER_ADDR', 'RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    for name, value in dict(
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        MASTER_PORT=free_port(),
        SLURM_PROCID='0',
        SLURM_NTASKS='1',
        SLURM_LOCALID='0',
        SLURM_JOB_NODELIST='local[host,other]',
    ).items():
        monkeypatch.setenv(name, value)
    try:
        runner = run_training(tiny_config, str(tmp_path / 'work'), launcher='slurm')
        assert runner.distributed and dist.get_backend() == 'gloo'
        assert os.environ['MASTER_ADDR'] == 'localhost'
        assert (tmp_path / 'work/iter_4.pth').exists()
    finally:
        leave_process_group()
