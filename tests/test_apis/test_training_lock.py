import os
import signal
import subprocess
import sys
from unittest.mock import Mock

import pytest
from filelock import FileLock

from mmseg_langseg.apis import run_training
from mmseg_langseg.apis.training_lock import training_lock
from tests.scripts import ROOT, load_script

HOLDER = """
import os, sys
from mmseg_langseg.apis.training_lock import training_lock
with training_lock(sys.argv[1]):
    if 'worker' in sys.argv and os.fork() == 0:
        sys.stdin.read()  # until the test closes it: outlives its parent
        os._exit(0)
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Starts processes that hold the lock of a folder until they are told to end."""
    holders = []

    def start(folder, *options):
        command = [sys.executable, '-c', HOLDER, str(folder), *options]
        env = dict(os.environ, PYTHONPATH=str(ROOT))
        pipe = subprocess.PIPE
        holders.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env))
        while holders[-1].stdout.readline() != 'held\n':
            assert holders[-1].poll() is None
        return holders[-1]

    yield start
    for holder in holders:
        holder.stdin.close()
        holder.wait(60)


def test_a_second_training_ends_with_the_first_ones_process(hold, tiny_config, tmp_path):
    work = tmp_path / 'work'
    holder = hold(work)
    with pytest.raises(RuntimeError, match=rf'work.*process {holder.pid} on .*--work-dir'):
        run_training(tiny_config, str(work))
    assert {path.name for path in work.iterdir()} == {'.training.lock', '.training.owner'}
    with pytest.raises(RuntimeError, match='name with --out'), training_lock(work, option='--out'):
        pass
    with training_lock(tmp_path / 'other'):
        pass


def test_a_killed_training_leaves_no_lock(hold, tmp_path):
    holder = hold(tmp_path, 'worker')
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with training_lock(tmp_path):
        assert f'process {os.getpid()} ' in (tmp_path / '.training.owner').read_text()


def test_it_is_released_after_an_error_and_held_against_the_same_process(tmp_path):
    with pytest.raises(KeyError), training_lock(tmp_path):
        with pytest.raises(RuntimeError, match='Another training'), training_lock(tmp_path):
            pass
        raise KeyError
    with training_lock(tmp_path):
        pass


@pytest.mark.parametrize('error', [NotImplementedError('no flock'), OSError(37, 'No locks')])
def test_a_disk_without_locks_is_used_with_a_warning(tmp_path, monkeypatch, error):
    monkeypatch.setattr(FileLock, 'acquire', Mock(side_effect=error))
    with pytest.warns(UserWarning, match='cannot be locked'), training_lock(tmp_path):
        pass


@pytest.mark.parametrize(('launcher', 'name'), [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID')])
def test_the_main_process_alone_holds_it(tmp_path, monkeypatch, launcher, name):
    monkeypatch.setenv(name, '1')
    with training_lock(tmp_path, launcher):
        monkeypatch.setenv(name, '0')
        with training_lock(tmp_path, launcher):
            pass


def test_two_quickstarts_of_one_second_have_two_folders(tmp_path, monkeypatch):
    quickstart = load_script('tools/quickstart.py')
    monkeypatch.setattr(quickstart.time, 'strftime', lambda _: 'now')
    folders = [quickstart.new_folder(tmp_path / 'root') for _ in range(3)]
    assert [folder.name for folder in folders] == ['now', 'now_2', 'now_3']
    assert all(folder.is_dir() for folder in folders)
