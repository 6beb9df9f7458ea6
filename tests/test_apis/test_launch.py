import os
import re
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import nn

from mmseg_langseg.apis import leave_process_group, run_training
from tests.distributed import run_processes
from tests.ports import free_port


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU, this is MMEngine's task")
def test_processes_wait_for_each_other_as_long_as_the_config_says(
    tiny_config, tmp_path, monkeypatch
):
    def start(seconds):
        options = {} if seconds is None else {'env_cfg.dist_cfg.timeout': seconds}
        run_training(tiny_config, str(tmp_path / 'work'), cfg_options=options, launcher='pytorch')

    def record(backend, timeout):
        raise InterruptedError(timeout)

    monkeypatch.setattr(dist, 'init_process_group', record)
    for seconds, expected in ((None, None), (90, timedelta(seconds=90))):
        with pytest.raises(InterruptedError) as error:
            start(seconds)
        assert error.value.args == (expected,)
    for wrong in (0, -5, True, '5 minutes', float('nan')):
        message = re.escape(f'env_cfg.dist_cfg.timeout={wrong!r}: expected a number of seconds')
        with pytest.raises(ValueError, match=message):
            start(wrong)
