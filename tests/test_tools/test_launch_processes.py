"""A process that dies ends all others, with a message."""

import subprocess
import sys
import time

from tests.scripts import ROOT
from tests.test_tools.test_train_and_test import free_port

WORKER = """
import os, signal, time
if os.environ['RANK'] == '1':
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(100)
"""


def test_a_killed_process_ends_the_other(tmp_path):
    worker = tmp_path / 'worker.py'
    worker.write_text(WORKER)
    start = time.time()
    launcher = [sys.executable, ROOT / 'tools' / 'launch_processes.py', '--nproc_per_node=2']
    done = subprocess.run(
        [*launcher, f'--master_port={free_port()}', worker], capture_output=True, text=True
    )
    assert done.returncode == 1 and time.time() - start < 35
    last = done.stderr.splitlines()[-1]
    assert last == 'The processes were stopped: process 1 was ended by SIGKILL.'
