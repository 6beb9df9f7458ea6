import os
import signal
import subprocess
import sys
from unittest.mock import Mock

import pytest
from mmengine.logging import MessageHub

from mmseg_langseg.apis import run_training
from mmseg_langseg.engine.hooks import WholeCheckpointHook
from mmseg_langseg.fileio import whole_local_backend
from tests.scripts import ROOT

KEEP_ONE = {'default_hooks.checkpoint.max_keep_ckpts': 1}

# The process is killed when half of the second checkpoint is written to disk.
KILLED_WRITER = """
import os, signal, sys
from mmseg_langseg.apis import run_training
from mmseg_langseg.fileio import whole_file

real, names = os.fdopen, []

class HalfWritten:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *args):
        self.file.close()
    def write(self, content):
        names.append(len(content))
        if len(content) > 10000 and sum(size > 10000 for size in names) == 2:
            self.file.write(content[:len(content) // 2])
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        self.file.write(content)

os.fdopen = lambda *args: HalfWritten(real(*args))
run_training(sys.argv[1], sys.argv[2], cfg_options={'default_hooks.checkpoint.max_keep_ckpts': 1})
"""


def names(work, pattern='*.pth*'):
    return sorted(path.name for path in work.glob(pattern))


def test_killed_while_it_writes_it_is_resumed_from_the_checkpoint_before(tiny_config, tmp_path):
    work = tmp_path / 'work'
    command = [sys.executable, '-c', KILLED_WRITER, str(tiny_config), str(work)]
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    killed = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    whole, half = names(work)
    assert whole == 'iter_2.pth' and half.startswith('iter_4.pth.') and half.endswith('.tmp')
    assert (work / half).stat().st_size > 10000
    runner = run_training(tiny_config, str(work), resume=True, cfg_options=KEEP_ONE)
    assert runner.iter == 4 and names(work) == ['iter_4.pth']
    logs = '\n'.join(path.read_text() for path in work.rglob('*.log'))
    assert 'resumed epoch: 0, iter: 2' in logs


def test_a_full_disk_costs_no_old_checkpoint(tiny_config, tmp_path, monkeypatch):
    def write(path, content):
        if path.endswith('iter_4.pth'):
            raise OSError(28, 'No space left on device', path)
        real(path, content)

    work, real = tmp_path / 'work', whole_local_backend.write_whole_file
    monkeypatch.setattr(whole_local_backend, 'write_whole_file', write)
    with pytest.raises(OSError, match=r'No space.*iter_4\.pth'):
        run_training(tiny_config, str(work), cfg_options=KEEP_ONE)
    assert names(work) == ['iter_2.pth']
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_2.pth')


def test_an_outdated_checkpoint_that_a_killed_training_left_goes_later(
    tiny_config, tmp_path, monkeypatch
):
    class KilledError(Exception):
        pass

    work = tmp_path / 'work'
    with monkeypatch.context() as patch:
        patch.setattr(WholeCheckpointHook, '_remove', Mock(side_effect=KilledError))
        with pytest.raises(KilledError):
            run_training(tiny_config, str(work), cfg_options=KEEP_ONE)
    assert names(work) == ['iter_2.pth', 'iter_4.pth']
    options = {'train_cfg.max_iters': 6, **KEEP_ONE}
    run_training(tiny_config, str(work), resume=True, cfg_options=options)
    assert names(work) == ['iter_6.pth']


class Folder:
    """Mock runner that records the checkpoints in its folder after each save."""

    def __init__(self, work, name):
        self.work_dir, self.seen = str(work), []
        self.message_hub = MessageHub.get_instance(name)
        self.logger, self.epoch, self.iter = Mock(), 0, 0

    def save_checkpoint(self, out_dir, filename, *args, **kwargs):
        whole_local_backend.WholeLocalBackend().put(b'x', os.path.join(out_dir, filename))
        self.seen.append(sorted(name for name in os.listdir(out_dir) if name.endswith('.pth')))


def start(runner, **kwargs):
    hook = WholeCheckpointHook(by_epoch=False, interval=1, **kwargs)
    hook.before_train(runner)
    return hook


@pytest.mark.parametrize('save_best', ['mIoU', 'auto', ['mIoU', 'aAcc']])
def test_the_best_checkpoint_goes_when_the_better_one_is_there(tmp_path, save_best, request):
    runner = Folder(tmp_path, request.node.name)
    hook = start(runner, save_best=save_best)
    for runner.iter, score in enumerate([1.0, 3.0, 2.0, 4.0], 1):
        hook.after_val_epoch(runner, dict(mIoU=score, aAcc=10 - score))
    best = [[name[10:-4] for name in seen if 'mIoU' in name] for seen in runner.seen]
    assert best[0] == ['iter_1'] and ['iter_1', 'iter_2'] in best and ['iter_2', 'iter_4'] in best
    rest = ['best_aAcc_iter_1.pth'] if isinstance(save_best, list) else []
    assert names(tmp_path) == [*rest, 'best_mIoU_iter_4.pth']


def test_the_best_checkpoint_of_a_copied_folder_is_the_copy(tmp_path, request):
    runner = Folder(tmp_path / 'work', request.node.name)
    start(runner, save_best='mIoU').after_val_epoch(runner, dict(mIoU=1.0))
    (tmp_path / 'copy').mkdir()
    (tmp_path / 'copy' / 'best_mIoU_iter_0.pth').write_bytes(b'x')
    runner.work_dir, runner.iter = str(tmp_path / 'copy'), 1
    start(runner, save_best='mIoU').after_val_epoch(runner, dict(mIoU=2.0))
    assert names(tmp_path / 'work') == ['best_mIoU_iter_0.pth']
    assert names(tmp_path / 'copy') == ['best_mIoU_iter_1.pth']


def test_leftovers_are_removed_and_other_files_are_not(tmp_path, request):
    for name in ('iter_2.pth.a1b2.tmp', 'best_mIoU_iter_2.pth.x.tmp', 'last_checkpoint.y.tmp'):
        (tmp_path / name).write_bytes(b'half')
    others = ['iter_2.pth', 'mine.tmp', 'notes.txt.z.tmp']
    for name in others:
        (tmp_path / name).write_bytes(b'whole')
    start(Folder(tmp_path, request.node.name))
    assert names(tmp_path, '*') == others


def test_another_backend_is_left_alone(tmp_path, request):
    hook = start(Folder(tmp_path, request.node.name), backend_args=dict(backend='local'))
    assert hook.backend_args == dict(backend='local')


def test_configs_save_with_it(tmp_path, request):
    from mmengine.config import Config
    from mmseg.registry import HOOKS

    hooks = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py').default_hooks
    hook = HOOKS.build(hooks.checkpoint)
    hook.before_train(Folder(tmp_path, request.node.name))
    assert type(hook) is WholeCheckpointHook and hook.backend_args == dict(backend='whole_local')
    assert hooks.finite_loss.type == 'FiniteLossHook'
