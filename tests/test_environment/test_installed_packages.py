"""Installed versions, read from metadata as pip writes it."""

import sys

import pytest

from mmseg_langseg.environment.installed_packages import check_packages

REQUIREMENTS = """
Requires-Dist: numpy>=1.26
Requires-Dist: torch>=2.1
Provides-Extra: maintained
Requires-Dist: onedl-mmcv<2.4,>=2.3.6; extra == "maintained"
Provides-Extra: classic
Requires-Dist: mmcv==2.1.0; extra == "classic"
Requires-Dist: torch<2.6,>=2.1; extra == "classic"
Provides-Extra: tests
Requires-Dist: pytest; extra == "tests"
Provides-Extra: geo
Requires-Dist: rasterio>=1.3; extra == "geo"
""".strip()


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Return the problems, and all facts, of an environment with these packages only."""

    def check(ours=REQUIREMENTS, **versions):
        if ours is not None:
            versions['mmseg_langseg'] = '0.1.0'
        for name, version in versions.items():
            folder = tmp_path / f'{name}-{version}.dist-info'
            folder.mkdir()
            text = f'Metadata-Version: 2.1\nName: {name.replace("_", "-")}\nVersion: {version}\n'
            (folder / 'METADATA').write_text(text + (ours if name == 'mmseg_langseg' else ''))
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'path', [str(tmp_path)])
            sections = check_packages()
        facts = [fact for section in sections for fact in section.facts]
        return [problem for section in sections for problem in section.problems], facts

    return check


def test_all_in_range(problems):
    found, facts = problems(numpy='2.4.0', torch='2.9.0+cu130', onedl_mmcv='2.3.7')
    assert found == []
    assert 'torch 2.9.0+cu130' in facts and 'onedl-mmcv 2.3.7' in facts
    assert 'maintained stack: onedl-mmcv' in facts
    # Optional, so no problem; packages for developers are not listed.
    (geo,) = [fact for fact in facts if fact.startswith('geo')]
    assert geo == 'geo: rasterio is not installed; to use it: pip install "mmseg_langseg[geo]"'
    assert not any('pytest' in fact for fact in facts)


def test_versions_out_of_range_and_missing(problems):
    found, _ = problems(numpy='1.21.0', onedl_mmcv='2.4.0', rasterio='1.0')
    assert found == [
        'numpy 1.21.0 is not supported (needs >=1.26): pip install "numpy>=1.26"',
        'torch is not installed: pip install "torch>=2.1"',
        'onedl-mmcv 2.4.0 is not supported (needs <2.4,>=2.3.6): '
        'pip install "onedl-mmcv<2.4,>=2.3.6"',
    ]


def test_the_stack_sets_its_own_limit_of_torch(problems):
    found, _ = problems(numpy='2.0', torch='2.7.0', mmcv='2.1.0', mmengine='0.10.7')
    assert found == [
        'torch 2.7.0 is not supported (needs <2.6,>=2.1): pip install "torch<2.6,>=2.1"'
    ]


def test_both_stacks(problems):
    (problem,), facts = problems(numpy='2.0', torch='2.5.0', mmcv='2.1.0', onedl_mmcv='2.3.7')
    assert 'pip uninstall onedl-mmcv mmcv, then pip install "mmseg_langseg[maintained]"' in problem
    assert 'classic stack: mmcv' in facts and 'maintained stack: onedl-mmcv' in facts


def test_nothing_is_installed(problems):
    found, _ = problems(ours=None)
    assert found[0].startswith('MMSegmentation is not installed: pip install')
    assert found[1].startswith('the required versions are unknown, as mmseg_langseg is not')
