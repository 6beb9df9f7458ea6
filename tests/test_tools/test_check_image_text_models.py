"""The table of image-text models and its checks."""

import json

import open_clip
import pytest

from mmseg_langseg.models.backbones import CLIPTimmVisionTransformer, CLIPVisionTransformer
from tests import tiny_timm
from tests.scripts import load_script
from tests.tiny import VIT


@pytest.fixture(scope='module')
def script():
    return load_script('tools/analysis_tools/check_image_text_models.py')


def test_lists_what_works_and_why_not_and_goes_on(script, tmp_path, capsys, monkeypatch):
    configs = {
        'tiny-siglip': tiny_timm.arch('siglip'),
        'tiny-vit': VIT,
        'relative': open_clip.get_model_config('vit_relpos_medium_patch16_cls_224'),
    }
    monkeypatch.setattr(open_clip, 'list_models', lambda: list(configs))
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: {**configs[name]})
    for _ in range(2):
        script.main(['--out', str(tmp_path)])
    first, second = capsys.readouterr().out.split('\n2 of 3 models work')[:2]
    assert first.startswith('tiny-siglip works\n') and 'tiny-vit' not in second
    rows = [json.loads(line) for line in (tmp_path / 'models.jsonl').read_text().splitlines()]
    assert [row['works'] for row in rows] == [True, True, False]
    assert rows[0]['image_error'] < 1e-5 and 'RelPos' in rows[2]['reason']
    table = (tmp_path / 'models.md').read_text()
    assert '| tiny-siglip | 0 | test_tiny_siglip (CLIPTimmVisionTransformer) |' in table
    assert '| yes |' in table and '| no: ' in table


def test_a_deep_model_is_checked_by_its_first_blocks(script, monkeypatch):
    config = {**VIT, 'vision_cfg': {**VIT['vision_cfg'], 'layers': 9}}
    monkeypatch.setattr(open_clip, 'list_models', lambda: ['deep'])
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: {**config})
    row = script.check_model('deep', max_parameters=0.1)
    assert row['cut'] and row['works']


@pytest.mark.parametrize('kind', ['vit', 'siglip', 'pe'])
def test_other_features_fail_the_check(script, kind, monkeypatch):
    arch = VIT if kind == 'vit' else tiny_timm.arch(kind)
    tower = (CLIPVisionTransformer if kind == 'vit' else CLIPTimmVisionTransformer)(arch).eval()
    assert script.image_error(tower) < script.LIMIT
    forward = type(tower).forward

    def scaled(self, images):
        return tuple(0.9 * part for part in forward(self, images))

    monkeypatch.setattr(type(tower), 'forward', scaled)
    assert script.image_error(tower) > script.LIMIT
