import importlib

import pytest

from tests.scripts import ROOT

ARGUMENTS = ['--model', 'tiny', '--images', '3', '--size', '40', '50', '--images-per-batch', '2']
ARGUMENTS += ['--points-per-side', '3', '--repeats', '1', '--device', 'cpu', '--amp']


@pytest.fixture
def tool(monkeypatch):
    pytest.importorskip('segment_anything')
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    # Under its own name, by which its subprocesses import it.
    return importlib.import_module('benchmark_sam')


def test_all_ways_give_the_same_masks_and_a_table(tool, capsys, monkeypatch):
    real, peaks = tool.in_own_process, []

    def in_own_process(*args):
        # One process is enough to see that it works.
        peaks.append(real(*args) if not peaks else peaks[0])
        return peaks[-1]

    monkeypatch.setattr(tool, 'in_own_process', in_own_process)
    results = tool.main(ARGUMENTS)
    printed = capsys.readouterr().out
    assert (
        'SAM tiny, random weights, 50% kept; 3 images of 40 x 50, 2 per batch, 3² points' in printed
    )
    assert 'images/s' in printed and 'load' in printed and 'AMP: ' in printed
    assert list(results) == ['one by one', 'batched', 'batched, AMP']
    assert all(
        len(result['masks']) == 3 and result['wall'] > 0 < result['memory']
        for result in results.values()
    )
    total = sum(map(len, results['batched']['masks']))
    assert f'of {total} pixel-identical' in printed


def test_other_masks_end_it(tool, monkeypatch):
    monkeypatch.setattr(tool, 'in_own_process', lambda *args: 0.0)
    real = tool.SAMGenerator.masks_of_batch
    monkeypatch.setattr(
        tool.SAMGenerator, 'masks_of_batch', lambda self, images: real(self, images)[::-1]
    )
    with pytest.raises(AssertionError, match='image 0: '):
        tool.main(ARGUMENTS)
