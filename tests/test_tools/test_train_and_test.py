import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from PIL import Image

from tests.scripts import ROOT, logs, run, run_script


def test_trains_resumes_and_tests_in_one_process(tiny_config, tmp_path):
    work, out = tmp_path / 'work', tmp_path / 'out'
    run('train', tiny_config, '--work-dir', work)
    assert (work / 'iter_2.pth').exists() and (work / 'iter_4.pth').exists()

    longer = ('--cfg-options', 'train_cfg.max_iters=6')
    run('train', tiny_config, '--work-dir', work, '--resume', *longer)
    assert torch.load(work / 'iter_6.pth', weights_only=False)['meta']['iter'] == 6
    assert 'resumed epoch: 0, iter: 4' in logs(work)

    figures = run('test', tiny_config, work / 'iter_6.pth', '--work-dir', work, '--out', out)
    assert 0 <= figures['mIoU'] <= 100
    labels = np.array(Image.open(out / '0.png'))
    assert labels.shape == (40, 48) and labels.max() <= 1


def test_resume_from_a_given_checkpoint(tiny_config, tmp_path):
    work, other = tmp_path / 'work', tmp_path / 'other'
    run('train', tiny_config, '--work-dir', work)
    run('train', tiny_config, '--work-dir', other, '--resume', work / 'iter_2.pth')
    assert 'resumed epoch: 0, iter: 2' in logs(other)


def test_resume_with_nothing_to_resume_starts_from_the_configs_weights(tiny_config, tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    run('train', tiny_config, '--work-dir', first)
    weights = ('--cfg-options', f'load_from={first / "iter_4.pth"}')
    run('train', tiny_config, '--work-dir', second, '--resume', *weights)
    log = logs(second)
    assert f'Load checkpoint from {first / "iter_4.pth"}' in log
    assert 'resumed' not in log and 'Iter(train) [1/4]' in log


def test_untrained_model_tta_and_painted_predictions(tiny_config, tmp_path):
    work, shown = tmp_path / 'work', tmp_path / 'shown'
    assert 0 <= run('test', tiny_config, '--work-dir', work, '--tta')['mIoU'] <= 100
    every = ('--cfg-options', 'default_hooks.visualization.interval=1')
    run('test', tiny_config, 'none', '--work-dir', work, '--show-dir', shown, *every)
    assert list(shown.rglob('*.png'))


@pytest.mark.parametrize(
    ('name', 'args', 'error', 'message'),
    [
        ('train', ['no_such.py'], FileNotFoundError, 'no_such.py'),
        ('train', ['{config}', '--resume', 'gone.pth'], FileNotFoundError, 'gone.pth'),
        ('test', ['{config}', 'gone.pth'], FileNotFoundError, 'gone.pth'),
        (
            'test',
            ['{config}', '--tta', '--cfg-options', 'tta_pipeline=None'],
            ValueError,
            'tta_pipeline',
        ),
    ],
)
def test_bad_arguments_end_with_their_value(
    tiny_config, tmp_path, monkeypatch, name, args, error, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        run(name, *[arg.format(config=tiny_config) for arg in args])


def test_amp_trains_on_any_device(tiny_config, tmp_path):
    work = tmp_path / 'work'
    run('train', tiny_config, '--work-dir', work, '--amp')
    assert re.search(r"type='(BFloat16|Amp)OptimWrapper'", logs(work))
    weights = torch.load(work / 'iter_4.pth', weights_only=False)['state_dict']
    assert all(value.dtype != torch.bfloat16 for value in weights.values())
    (path,) = work.rglob('scalars.json')
    for line in path.read_text().splitlines()[1:4]:
        scalars = json.loads(line)
        assert scalars['images_per_second'] > 0 and 0 <= scalars['data_wait_share'] <= 1
    assert logs(work).count('images_per_second: ') == 3


@pytest.mark.parametrize(
    'script',
    ['dist_train.sh', 'dist_test.sh', 'dist_eval_all.sh', 'slurm_train.sh', 'slurm_test.sh'],
)
def test_scripts_without_arguments_print_their_usage(script):
    done = run_script(script)
    assert done.returncode == 2 and 'usage:' in done.stderr


@pytest.mark.parametrize(
    ('name', 'args'),
    [
        ('train', ['config.py', '--resume', '--work-dir', 'a b']),
        ('test', ['config.py', 'weights.pth', '--tta']),
    ],
)
def test_slurm_scripts_hand_everything_over(tmp_path, monkeypatch, name, args):
    """Check the command passed to srun, since Slurm is not available."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    monkeypatch.setenv('PATH', os.pathsep.join([str(tmp_path), os.environ['PATH']]))
    monkeypatch.setenv('GPUS', '16')
    done = run_script(f'slurm_{name}.sh', 'queue', 'job', *args)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    options = {'--partition=queue', '--job-name=job', '--ntasks=16', '--ntasks-per-node=8'}
    assert options <= set(lines) and '--gres=gpu:8' in lines
    first = lines.index('python')
    expected = [str(ROOT / 'tools' / f'{name}.py'), *args, '--launcher', 'slurm']
    assert lines[first + 2 :] == expected


SBATCH = """#!/bin/sh
while [ "${1%/slurm_job.sh}" = "$1" ]; do echo "sbatch $1"; shift; done
SLURM_JOB_ID=7 SLURM_ARRAY_TASK_ID=2 SLURM_RESTART_COUNT=$RESTARTS exec bash "$@"
"""


@pytest.mark.parametrize(('restarts', 'resume'), [('0', []), ('1', ['--resume'])])
def test_a_batch_job_is_requeued_after_status_75(tmp_path, monkeypatch, restarts, resume):
    """With stand-ins for the commands of Slurm."""
    programs = dict(
        sbatch=SBATCH,
        srun='#!/bin/sh\nprintf "srun %s\\n" "$@"; exit 75\n',
        scontrol='#!/bin/sh\necho scontrol "$@"\n',
    )
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', os.pathsep.join([str(tmp_path), os.environ['PATH']]))
    monkeypatch.setenv('RESTARTS', restarts)
    options = ['--requeue', '--signal=TERM@120', '--array=0-2']
    arguments = ['config.py', '--work-dir', 'a b/%a', '--cfg-options', 'randomness.seed=%a']
    done = run_script('slurm_train.sh', *options, 'queue', 'job', *arguments)
    assert done.returncode == 75, done.stderr
    lines = done.stdout.splitlines()
    assert {f'sbatch {option}' for option in (*options, '--partition=queue')} <= set(lines)
    started = [line.removeprefix('srun ') for line in lines if line.startswith('srun ')]
    expected = ['config.py', '--work-dir', 'a b/2', '--cfg-options', 'randomness.seed=2', *resume]
    script = str(ROOT / 'tools' / 'train.py')
    assert started[started.index('-u') + 1 :] == [script, *expected, '--launcher', 'slurm']
    assert lines[-1] == 'scontrol requeue 7'


def test_the_toolboxs_own_script_trains_it(tiny_config, tmp_path):
    """MMSegmentation's tools/train.py needs only ``custom_imports``."""
    script = Path(mmseg.__file__).parent / '.mim' / 'tools' / 'train.py'
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, str(script), str(tiny_config), '--work-dir', str(tmp_path / 'work')]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / 'work' / 'iter_4.pth').is_file()
