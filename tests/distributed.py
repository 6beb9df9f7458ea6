"""Run a function on several gloo processes on this machine."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.registry import init_default_scope

from tests.ports import free_port

PATIENCE = 240
# A server imports these once and forks the processes, each of which would need seconds for it.
PRELOADED = ['mmseg.apis', 'mmseg_langseg.apis', 'tests.distributed', 'tests.tiny']


def run_processes(function, world_size: int, *args):
    """Call ``function(rank, *args)`` on each process and return the results in rank order."""
    port = free_port()
    context = mp.get_context('forkserver')
    context.set_forkserver_preload(PRELOADED)
    env = dict(os.environ)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workers = [
            context.Process(
                target=_work, args=(function, rank, world_size, port, folder, args, env)
            )
            for rank in range(world_size)
        ]
        for worker in workers:
            worker.start()
        try:
            _wait(workers, folder)
            return [
                torch.load(folder / f'{rank}.pt', weights_only=False) for rank in range(world_size)
            ]
        finally:
            for worker in workers:
                worker.kill()


def _wait(workers, folder: Path) -> None:
    end = time.time() + PATIENCE
    while len(list(folder.glob('*.pt'))) < len(workers):
        for error in folder.glob('*.error'):
            raise AssertionError(error.read_text())
        died = [worker.exitcode for worker in workers if worker.exitcode is not None]
        assert not died, f'a process ended with {died}'
        assert time.time() < end, f'no result after {PATIENCE} s'
        time.sleep(0.05)


def _work(function, rank, world_size, port, folder, args, env):
    # The server has the variables of the first call.
    os.environ.update(env)
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, OMP_NUM_THREADS='1')
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    partial = folder / f'{rank}.partial'
    try:
        dist.init_process_group('gloo', rank=rank, world_size=world_size)
        torch.save(function(rank, *args), partial)
        partial.rename(folder / f'{rank}.pt')
    except BaseException:
        partial.write_text(traceback.format_exc())
        partial.rename(folder / f'{rank}.error')
    # The parent ends the process: destroying the group can hang when the other exited first.
    time.sleep(PATIENCE)
