import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

from mmseg_langseg.apis import run_test, run_training
from mmseg_langseg.apis.command_runner import CommandRunner

ROOT = Path(__file__).resolve().parents[2]
NOISE = (
    'requires_grad=False',
    'paramwise_options',
    'FileClient',
    'HardDiskBackend',
    'SyncBatchNorm',
    'Hooks will be executed',
    'System environment',
    'custom_imports',
    'The draw is False',
    'The prefix is not set',
    'OneDL',
    'MultiScaleDeformableAttention',
    'Warning:',
)


@pytest.fixture
def config():
    """The bundled training config with two short iterations and a validation."""
    cfg = Config.fromfile(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')
    cfg.model.clip.pretrained = None
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    for key in ('val_dataloader', 'test_dataloader'):
        cfg[key].update(num_workers=0, persistent_workers=False)
        cfg[key].dataset.num_scenes = 2
    cfg.default_hooks.logger.interval = 1
    return cfg


def test_console_of_a_training_is_short_and_its_log_file_complete(config, tmp_path, capfd, recwarn):
    runner = run_training(config, work_dir=tmp_path)
    assert isinstance(runner, CommandRunner)
    out, err = capfd.readouterr()
    entries = [line for line in out.splitlines() if ' - mmengine - ' in line]
    # Log file, parameters, checkpoint folder, two iterations, checkpoint, and the validation.
    assert len(entries) <= 11, out
    assert not [word for word in NOISE if word in out + err]
    assert not [str(w.message) for w in recwarn if 'draw is False' in str(w.message)]
    log = runner.logger.log_file
    text = Path(log).read_text(encoding='utf-8')
    assert log in entries[0]
    for part in ('System environment', 'custom_imports', 'Hooks will be', 'paramwise_options'):
        assert part in text
    assert 'requires_grad=False' not in text


def test_console_says_how_much_is_trained(config, tmp_path, capfd):
    runner = run_training(config, work_dir=tmp_path)
    sizes = [(p.numel(), p.requires_grad) for p in runner.model.parameters()]
    trained = sum(size for size, learns in sizes if learns)
    total = sum(size for size, _ in sizes)
    assert 0 < trained < total
    assert f'{trained:,} of {total:,} parameters are trained' in capfd.readouterr().out


def test_console_of_a_test_has_its_figures_and_warnings_that_matter(config, tmp_path, capfd):
    run_test(config, work_dir=str(tmp_path))
    out, err = capfd.readouterr()
    assert 'mIoU' in out and not [word for word in NOISE if word in out + err]
    config.work_dir = str(tmp_path)
    runner = CommandRunner.from_cfg(config)
    runner.logger.warning('The disk is full.')
    assert 'The disk is full.' in capfd.readouterr().out


@pytest.mark.multiprocess
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_commands_print_nothing_to_learn_to_ignore(config, tmp_path, tool):
    config.dump(tmp_path / 'config.py')
    command = [sys.executable, str(ROOT / 'tools' / f'{tool}.py'), str(tmp_path / 'config.py')]
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [*command, '--work-dir', str(tmp_path / 'work')],
        env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, '')
    assert not [word for word in NOISE if word in done.stdout], done.stdout


def test_a_work_folder_whose_name_is_no_text_is_logged(config, tmp_path, capfd):
    folder = os.path.join(tmp_path, os.fsdecode(b'\xff'))
    run_test(config, work_dir=folder)
    assert 'Logging error' not in capfd.readouterr().err
    (log,) = Path(folder).rglob('*.log')
    assert r'\udcff' in log.read_text(encoding='utf-8')


def test_a_model_without_trained_parameters_is_not_wrapped():
    """As torch refuses it: MaskCLIP could not be tested in several processes."""
    runner = CommandRunner.__new__(CommandRunner)
    runner._distributed = True
    model = nn.Linear(2, 2).requires_grad_(False)
    assert runner.wrap_model(None, model) is model
