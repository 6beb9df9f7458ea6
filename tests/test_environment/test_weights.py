"""Cache folders and weights."""

import os

import pytest

from mmseg_langseg.environment.weights import check_caches, check_weights

HOST = 'https://hub.example'


def source(file=None):
    return dict(file=file, url=f'{HOST}/a.bin', host=HOST)


def test_models_with_the_same_weights_share_a_line():
    weights = dict(tiny=None, one=source(), two=source(), three=source('/cache/b.bin'))
    facts = check_weights(dict(weights=weights, hosts={HOST: None})).facts
    assert facts == [
        'tiny: bundled with the package',
        f'one, two: downloaded on first use: {HOST}/a.bin',
        'three: /cache/b.bin',
        f'{HOST} answers',
    ]


def test_without_network_the_files_are_named():
    section = check_weights(
        dict(weights=dict(one=source()), hosts={HOST: f'{HOST} does not answer'})
    )
    assert not section.problems  # local files work
    assert section.facts[0] == (
        f'one: not on this machine, cannot be downloaded from here: {HOST}/a.bin'
    )
    assert section.facts[1] == f'{HOST} does not answer'
    assert '--cfg-options model.clip.pretrained=FILE' in section.facts[2]


def test_caches(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / '.cache' / 'clip' / 'deep').mkdir(parents=True)
    (tmp_path / '.cache' / 'clip' / 'deep' / 'a.pt').write_bytes(bytes(3 * 2**20))
    os.symlink('a.pt', tmp_path / '.cache' / 'clip' / 'deep' / 'link.pt')
    section = check_caches(dict(torch=dict(folder=str(tmp_path / 'hub'))))
    assert not section.problems
    assert section.facts[0].startswith(f'open_clip: {tmp_path}/.cache/clip, 3 MiB, ')
    assert section.facts[1].startswith(f'torch: {tmp_path}/hub, does not exist yet, ')


def test_a_cache_that_is_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'hub').touch()
    (problem,) = check_caches(dict(torch=dict(folder=str(tmp_path / 'hub' / 'x')))).problems
    assert f'{tmp_path}/hub' in problem and 'TORCH_HOME' in problem


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_cache_without_rights(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'hub').mkdir(mode=0o500)
    (problem,) = check_caches(dict(torch=dict(folder=str(tmp_path / 'hub')))).problems
    assert 'change the rights' in problem
