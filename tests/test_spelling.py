"""American spelling in prose, identifiers and file names, as in PyTorch and MMSegmentation."""

import re
import subprocess
import sys

from tests.scripts import ROOT

SUFFIXES = ('.md', '.py', '.sh', '.toml', '.yaml', '.yml')
# Words missing from codespell's list.
OTHERS = re.compile('(?i)unlabelled|centring|uncentred|learnt|spelt|recentre')


def files():
    folders = ('configs', 'demo', 'docs', 'mmseg_langseg', 'tests', 'tools')
    found = [path for folder in folders for path in (ROOT / folder).rglob('*')]
    found += ROOT.glob('*')
    return sorted(str(p.relative_to(ROOT)) for p in found if p.suffix in SUFFIXES and p.is_file())


def codespell(*paths):
    command = [sys.executable, '-m', 'codespell_lib', '--toml', str(ROOT / 'pyproject.toml')]
    return subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True).stdout


def test_spelling_is_american():
    names = files()
    assert codespell(*names) == ''
    for name in names:
        if name != 'tests/test_spelling.py':
            text = f'{name} {(ROOT / name).read_text(encoding="utf-8")}'
            assert not OTHERS.search(text), f'{name}: {OTHERS.search(text)}'


def test_british_identifiers_and_file_names_are_found(tmp_path):
    (tmp_path / 'my_colours.py').write_text('class LogitCentre:\n    neighbour_count = 1\n')
    found = codespell(str(tmp_path / 'my_colours.py'))
    for word in ('colours', 'Centre', 'neighbour'):
        assert word in found
