"""A process that dies ends all others, with a message."""

import subprocess
import sys
import time

from tests.ports import free_port
from tests.scripts import ROOT, load_script

WORKER = """
import os, signal
import torch.distributed

signal.signal(signal.SIGTERM, lambda *_: None)  # a training finishes its iteration first
torch.distributed.init_process_group('gloo')
torch.distributed.barrier()
if os.environ['RANK'] == '1':
    open('died', 'w').close()
    os.kill(os.getpid(), signal.SIGKILL)
torch.distributed.barrier()
"""


def test_a_killed_process_ends_the_other_that_waits_for_it(tmp_path):
    worker = tmp_path / 'worker.py'
    worker.write_text(WORKER)
    launcher = [sys.executable, ROOT / 'tools' / 'launch_processes.py', '--nproc_per_node=2']
    command = [*launcher, f'--master_port={free_port()}', worker]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    seconds = time.time() - (tmp_path / 'died').stat().st_mtime
    # torchrun ends the others after 30 s at the latest; gloo alone would wait for 30 minutes.
    assert done.returncode == 1 and seconds < 60
    last = done.stderr.splitlines()[-1]
    assert last.startswith('The processes were stopped: ')
    assert 'process 1 was ended by SIGKILL' in last


def test_status_and_message():
    status = load_script('tools/launch_processes.py').status
    # torchrun ends those that leave last with SIGTERM (15); the checkpoint is written by then.
    assert status({0: 75}) == status({0: 75, 1: -15}) == 75
    assert status({0: 75, 1: -9}) == (
        'The processes were stopped: process 0 exited with status 75, '
        'process 1 was ended by SIGKILL.'
    )
    assert status({1: -15}) == 'The processes were stopped: process 1 was ended by SIGTERM.'
