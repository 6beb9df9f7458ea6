"""Shell scripts validate numbers before bash evaluates them."""

import os
import subprocess

import pytest

from tests.scripts import ROOT

SCRIPTS = {
    'dist_generate_masks.sh': ['{number}', 'in', 'out'],
    'dist_train.sh': ['config.py', '{number}'],
    'dist_test.sh': ['config.py', 'none', '{number}'],
    'slurm_train.sh': ['queue', 'job', 'config.py'],
    'slurm_test.sh': ['queue', 'job', 'config.py', 'none'],
}
VARIABLES = {
    'dist_generate_masks.sh': ('NNODES', 'NODE_RANK'),
    'dist_train.sh': ('NNODES', 'NODE_RANK'),
    'dist_test.sh': ('NNODES', 'NODE_RANK'),
    'slurm_train.sh': ('GPUS', 'GPUS_PER_NODE', 'CPUS_PER_TASK'),
    'slurm_test.sh': ('GPUS', 'GPUS_PER_NODE', 'CPUS_PER_TASK'),
}
WRONG = ('-1', '1.5', 'x', '08', '1e3', '9999999999999999999999', 'a[$(touch marker)]', '')


@pytest.fixture
def start(tmp_path):
    """Run a script with stand-ins for python and srun that print when they are called."""
    for name in ('python', 'srun'):
        (tmp_path / name).write_text('#!/bin/sh\necho started\n')
        (tmp_path / name).chmod(0o755)

    def run(script, number='1', **variables):
        arguments = [argument.format(number=number) for argument in SCRIPTS[script]]
        path = os.pathsep.join([str(tmp_path), os.environ['PATH']])
        return subprocess.run(
            [ROOT / 'tools' / script, *arguments],
            env={**os.environ, 'PATH': path, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize('script', SCRIPTS)
def test_numbers_are_checked_and_never_run(start, tmp_path, script):
    assert start(script).returncode == 0 and 'started' in start(script).stdout
    runs = [(name, value) for name in VARIABLES[script] for value in WRONG if value]
    if '{number}' in SCRIPTS[script]:
        runs += [('PROCESSES', value) for value in (*WRONG, '0')]
    for name, value in runs:
        variables = {} if name == 'PROCESSES' else {name: value}
        done = start(script, value if name == 'PROCESSES' else '1', **variables)
        assert done.returncode == 2 and 'started' not in done.stdout, (name, value)
        assert f"{name} is '{value}', expected an integer" in done.stderr
    assert not (tmp_path / 'marker').exists()


def test_a_machine_beyond_the_number_of_machines_is_refused(start):
    done = start('dist_generate_masks.sh', NNODES='2', NODE_RANK='2')
    assert done.returncode == 2 and 'NODE_RANK is 2, expected less than NNODES, 2' in done.stderr
