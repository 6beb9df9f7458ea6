import importlib
import os

import pytest
import torch
import torch.nn.functional as F

from tests.scripts import ROOT

CHECKOUT = os.environ.get('LANGSEG_OFFICIAL_PIXELCLIP')
TINY = ['--arch', 'tiny', '--batch-size', '1', '--masks', '6', '--device', 'cpu']


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    return importlib.import_module('benchmark_official')


@pytest.mark.multiprocess
def test_without_a_checkout_this_package_is_measured_alone(tool, capsys):
    summary = tool.main([*TINY, '--amp'])
    printed = capsys.readouterr().out
    assert 'No checkout of PixelCLIP was given: this package alone is measured.' in printed
    assert 'tiny, random weights, 8 clusters, bfloat16; batch 1 of two views of 160' in printed
    assert list(summary) == ['own'] and 'ratio' not in printed
    own = summary['own']
    assert own['cpu'] > 0 and own['loaded'] > 100 and own['added'] > 0
    first, second = own['losses']
    assert 0 < second < first < 1.5


@pytest.mark.multiprocess
@pytest.mark.skipif(CHECKOUT is None, reason='LANGSEG_OFFICIAL_PIXELCLIP names no checkout')
def test_the_official_code_computes_the_same(tool, capsys):
    summary = tool.main([CHECKOUT, *TINY, '--steps', '2'])
    printed = capsys.readouterr().out
    assert 'official: ' in printed and 'ratio' in printed
    losses = [summary[side]['losses'] for side in ('own', 'official')]
    torch.testing.assert_close(*map(torch.tensor, losses), atol=5e-6, rtol=0)
    differences = summary['differences']
    assert differences['start']['largest'] == 0
    assert differences['gradients']['relative'] < 3e-3
    assert differences['change']['relative'] < 1e-2


def test_other_folders_and_configs_are_refused_at_once(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'not a checkout of PixelCLIP .*it has no conf'):
        tool.main([str(tmp_path)])
    with pytest.raises(ValueError, match=r"'clips4/r50_voc' does not train PixelCLIP"):
        tool.main(['--config', 'clips4/r50_voc'])
    without = ['model.decode_head.prompts=None', 'model.decode_head.clusterer=None']
    with pytest.raises(ValueError, match='does not train PixelCLIP with clusters'):
        tool.main(['--cfg-options', *without])


@pytest.mark.parametrize('arch', ['ViT-B/16', 'tiny'])
def test_enlarged_masks_are_restored_by_the_nearest_neighbor(tool, arch):
    sizes = tool.SIZES[arch]
    masks = torch.rand(3, sizes['masks'], sizes['masks']) < 0.5
    large = tool.enlarge(masks, sizes['images'])
    assert large.shape == (3, sizes['images'], sizes['images'])
    small = F.interpolate(large[None].float(), size=masks.shape[1:], mode='nearest')[0]
    assert torch.equal(small.bool(), masks)


def test_tensors_of_both_sides_are_compared_by_name(tool, tmp_path):
    compare = importlib.import_module('official_report').compare
    torch.save({'a': torch.tensor([3.0, 4.0])}, tmp_path / 'own_x.pt')
    torch.save({'a': torch.tensor([3.0, 4.5])}, tmp_path / 'official_x.pt')
    assert compare(tmp_path, 'x') == {'relative': 0.1, 'largest': 0.5}
    torch.save({'a': torch.tensor([3.0, 3.5])}, tmp_path / 'own_start.pt')
    assert compare(tmp_path, 'x', 'start') == {'relative': 1.0, 'largest': 0.5}
    torch.save({'b': torch.zeros(1)}, tmp_path / 'official_x.pt')
    with pytest.raises(ValueError, match=r'does not train the parameters .* code: a, b'):
        compare(tmp_path, 'x')
