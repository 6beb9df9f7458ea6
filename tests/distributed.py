"""Runs a function on several gloo processes of this machine."""

from __future__ import annotations

import io
import os
import socket
import sys
import traceback
from queue import Empty

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.registry import init_default_scope


def run_processes(function, world_size: int, *args):
    """Calls ``function(rank, *args)`` on each process and returns their results in order."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    context = mp.get_context('spawn')
    queue = context.Queue()
    workers = [
        context.Process(target=_work, args=(function, rank, world_size, port, queue, args))
        for rank in range(world_size)
    ]
    for worker in workers:
        worker.start()
    results = dict(_next(queue, workers) for _ in workers)
    for worker in workers:
        worker.join(60)
    failed = [text for ok, text in results.values() if not ok]
    assert not failed, failed[0]
    return [
        torch.load(io.BytesIO(results[rank][1]), weights_only=False) for rank in range(world_size)
    ]


def _next(queue, workers):
    while True:
        try:
            return queue.get(timeout=1)
        except Empty:
            died = [worker.exitcode for worker in workers if worker.exitcode]
            assert not died, f'a process ended with {died} before it gave a result'


def _work(function, rank, world_size, port, queue, args):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), OMP_NUM_THREADS='1')
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    dist.init_process_group('gloo', rank=rank, world_size=world_size)
    try:
        # As bytes: tensors in a queue live in shared memory that dies with this process.
        result = io.BytesIO()
        torch.save(function(rank, *args), result)
        queue.put((rank, (True, result.getvalue())))
    except BaseException:
        queue.put((rank, (False, traceback.format_exc())))
        sys.exit(1)
    finally:
        dist.destroy_process_group()
