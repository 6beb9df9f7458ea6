"""The two dependency stacks never mix, and each has all packages of the toolbox."""

import re

import setuptools

from tests.scripts import load_script

TOOLBOX = {'mmcv', 'mmengine', 'mmpretrain', 'mmsegmentation'}


def extras(monkeypatch):
    given = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **options: given.update(options))
    load_script('setup.py')
    return {
        name: {re.match(r'[\w-]+', requirement)[0] for requirement in requirements}
        for name, requirements in given['extras_require'].items()
    }


def test_each_line_has_its_own_names(monkeypatch):
    found = extras(monkeypatch)
    assert {name for name in found['maintained'] if 'mm' in name} == {f'onedl-{n}' for n in TOOLBOX}
    assert {name for name in found['classic'] if 'mm' in name} == TOOLBOX
    others = set().union(*(found[name] for name in found.keys() - {'maintained', 'classic'}))
    assert not others & (TOOLBOX | {f'onedl-{name}' for name in TOOLBOX})
