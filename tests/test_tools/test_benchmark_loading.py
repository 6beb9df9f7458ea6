import numpy as np
import pytest

from tests.scripts import load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/benchmark_loading.py')


def test_both_ways_give_the_same_samples_and_a_table(tool, capsys, monkeypatch):
    monkeypatch.setattr(tool, 'AREAS', (0.3, 0.6))
    times = tool.main(['--images', '1', '--masks', '5', '--size', '90', '130', '--repeats', '1'])
    printed = capsys.readouterr().out
    assert '1 images of 90 x 130' in printed and 'with 5 masks' in printed
    assert 'samples per second per core' in printed and 'load' in printed
    assert times['lookup'].keys() == times['decode'].keys() >= {'StrongView', *tool.GEOMETRY}
    assert all(seconds >= 0 for way in times.values() for seconds in way.values())


def test_a_difference_ends_it(tool, monkeypatch):
    real = tool.DecodeMasks.__call__

    def wrong(self, results):
        results = real(self, results)
        return results | {key: np.zeros_like(results[key]) for key in results['seg_fields']}

    monkeypatch.setattr(tool.DecodeMasks, '__call__', wrong)
    monkeypatch.setattr(tool, 'AREAS', (0.5, 0.6))
    with pytest.raises(AssertionError, match='masks differ'):
        tool.main(['--images', '1', '--masks', '3', '--size', '90', '130', '--repeats', '1'])


def test_the_table(tool):
    steps = ('LoadUnlabeledImage', *tool.MASK_STEPS, *tool.GEOMETRY, 'StrongView')
    lookup = dict.fromkeys(steps, 0.01)
    decode = dict(lookup, LoadUnlabeledMasks=0.21)
    lines = {
        line[:28].strip(): line[28:].split()
        for line in tool.report(dict(lookup=lookup, decode=decode)).splitlines()
    }
    assert lines['masks and geometry'] == ['50.0', '250.0', '5.0', 'times']
    assert lines['whole sample'] == ['70.0', '270.0', '3.9', 'times']
    assert lines['samples per second per core'] == ['14.29', '3.70']
