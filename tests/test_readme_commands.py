"""Commands in the docs: scripts and configs exist, and the scripts accept the options shown."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from mmseg_langseg.cli import parse_args

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r'^```(?:bash|shell|sh|console)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def documents():
    return [
        path
        for path in [ROOT / 'README.md', *ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/**/*.md')]
        if path.is_file()
    ]


def commands(text):
    """Return single commands of the fenced shell blocks, with continued lines joined."""
    found = []
    for block in FENCE.findall(text):
        for line in block.replace('\\\n', ' ').splitlines():
            line = line.strip().removeprefix('$ ')
            if not line or line.startswith('#'):
                continue
            words = shlex.split(line, comments=True)
            start = 0
            for end, word in enumerate([*words, '&&']):
                if word in ('&&', '|', ';'):
                    found.append(words[start:end])
                    start = end + 1
    return [command for command in found if command]


def script_of(command):
    """Return the repository's script that a command starts, and its arguments."""
    words = [word for word in command if not re.fullmatch(r'[A-Z_]+=.*', word)]
    if words and re.fullmatch(r'python[\d.]*', words[0]):
        words = words[1:]
    if words and re.match(r'(\./)?(tools|demo)/', words[0]):
        return words[0], words[1:]
    return None, []


CASES = sorted(
    {
        (str(document.relative_to(ROOT)), script, *arguments)
        for document in documents()
        for script, arguments in map(script_of, commands(document.read_text(encoding='utf-8')))
        if script
    }
)


def test_readme_has_the_two_commands():
    lines = (ROOT / 'README.md').read_text(encoding='utf-8').splitlines()
    install = [line for line in lines if line.startswith('pip install')]
    assert any('tools/quickstart.py' in line for line in install)
    # .ci/run reads the test command from this line.
    assert any(re.match(r'^pip install .*pytest', line) for line in install)


@pytest.mark.parametrize('case', CASES, ids=' '.join)
def test_scripts_and_configs_exist(case):
    _, script, *arguments = case
    assert (ROOT / script).is_file(), f'{script} does not exist'
    for word in arguments:
        if re.fullmatch(r'configs/[\w./-]+\.py', word):
            assert (ROOT / word).is_file(), f'{word} does not exist'


# The folder of the installed tools, the tests, and other projects' programs.
OTHER_PROGRAMS = ('tools', 'pytest', 'python')


class Parsed(BaseException):
    """Raised once the script has parsed its arguments."""


def python_arguments(script, arguments):
    """Return the Python script behind a command, and the arguments passed to it."""
    arguments = [re.sub(r'\$\w+', '0', word) for word in arguments]
    if not script.endswith('.sh'):
        return script, arguments
    tool = f'tools/{Path(script).stem.partition("_")[2]}.py'
    if 'slurm' in script:
        while arguments[0].startswith('--'):  # options of sbatch
            arguments = arguments[1:]
        return tool, arguments[2:]  # partition and job name
    # The number of processes follows the config (and checkpoint, if any).
    number = next(i for i, word in enumerate(arguments) if re.fullmatch(r'\d+|GPUS|N', word))
    return tool, arguments[:number] + arguments[number + 1 :]


@pytest.mark.parametrize('case', CASES, ids=' '.join)
def test_scripts_take_their_arguments(case, monkeypatch):
    """The script itself parses the whole line, so positions, values and types are checked too."""
    script, arguments = python_arguments(case[1], list(case[2:]))
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', parse_and_stop)
    monkeypatch.setattr(sys, 'argv', [script, *arguments])
    monkeypatch.syspath_prepend((ROOT / script).parent)
    with pytest.raises(Parsed):
        runpy.run_path(str(ROOT / script), run_name='__main__')


LANGSEG = sorted(
    {
        tuple(command)
        for document in documents()
        for command in commands(document.read_text(encoding='utf-8'))
        if command[0] == 'langseg'
    }
)


@pytest.mark.parametrize('command', LANGSEG, ids=' '.join)
def test_langseg_takes_its_arguments(command):
    assert parse_args(command[1:]).command == command[1]


def test_other_commands_are_known():
    """A command that no test above checks is one of these, and installs extras that exist."""
    extras = set(re.findall(r"^    '(\w+)': \[", (ROOT / 'setup.py').read_text(), re.MULTILINE))
    found = [
        (document.name, command)
        for document in documents()
        if document.name != 'ablations.md'  # options, see tests/test_docs.py
        for command in commands(document.read_text(encoding='utf-8'))
        if command[0] != 'langseg' and script_of(command)[0] is None
    ]
    for page, command in found:
        words = [word for word in command if not re.fullmatch(r'[A-Z_]+=.*', word)]
        program = words[0].partition('=')[0]
        if program == 'pip':
            named = re.findall(r'\[([\w,]+)\]', ' '.join(command))
            assert not set(','.join(named).split(',')) - extras - {''}, (page, command)
        else:
            assert program in OTHER_PROGRAMS, (page, command)


def test_commands_are_found_in_continued_and_chained_lines():
    text = '```bash\npip install . && PORT=1 python tools/a.py x \\\n    --b c  # why\n```\n'
    assert commands(text) == [
        ['pip', 'install', '.'],
        ['PORT=1', 'python', 'tools/a.py', 'x', '--b', 'c'],
    ]
    assert script_of(commands(text)[1]) == ('tools/a.py', ['x', '--b', 'c'])
