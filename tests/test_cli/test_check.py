"""``langseg check`` and other commands of the console script, started as pip installs it."""

import os
import subprocess
import sys

import pytest

from mmseg_langseg.cli import check, parse_args
from mmseg_langseg.environment import Section
from tests.scripts import ROOT
from tests.test_toolbox import MISSING

SCRIPT = 'import sys\nfrom mmseg_langseg.cli import main\nsys.exit(main())\n'


@pytest.fixture
def langseg(tmp_path):
    """Start ``langseg`` where MMEngine and torch are missing."""
    (tmp_path / 'langseg').write_text(SCRIPT)
    (tmp_path / 'sitecustomize.py').write_text(MISSING.format(blocked=('mmengine', 'torch')))
    env = dict(os.environ, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}')

    def start(*args):
        command = [sys.executable, str(tmp_path / 'langseg'), *args]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    return start


@pytest.mark.multiprocess
def test_without_the_toolbox_check_reports_and_others_name_it(langseg):
    done = langseg('check')
    assert (done.returncode, done.stderr) == (1, '')
    lines = done.stdout.splitlines()
    assert lines[0] == 'Python' and sys.executable in lines[1]
    assert any(
        line.startswith("* torch cannot be imported (No module named 'torch'): ") for line in lines
    )
    done = langseg('models')
    assert (done.returncode, done.stdout) == (1, '')
    (line,) = done.stderr.splitlines()
    assert line.startswith('langseg: mmseg_langseg needs MMSegmentation')
    assert line.endswith('"langseg check" lists all problems.')
    done = langseg('check', '--help')
    assert done.returncode == 0 and done.stdout.startswith('usage: langseg check')
    done = langseg('check', 'photo.jpg')
    assert done.returncode == 2 and 'unrecognized arguments: photo.jpg' in done.stderr
    # --debug shows where the import failed.
    assert 'Traceback' in langseg('--debug', 'check').stderr


def test_the_status_is_that_of_the_problems(monkeypatch, capsys):
    sections = [Section('One', ['a fact']), Section('Two')]
    monkeypatch.setattr(check, 'check_environment', lambda: iter(sections))
    check.run(parse_args(['check']))
    assert capsys.readouterr().out == 'One\n  a fact\nTwo\nNo problems found.\n'
    sections[0].problems.append('broken: do this')
    with pytest.raises(SystemExit) as error:
        check.run(parse_args(['check']))
    assert error.value.code == 1
    assert capsys.readouterr().out.endswith('Two\n1 problem:\n* broken: do this\n')
