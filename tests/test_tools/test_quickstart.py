"""Quickstart and method comparison at a size that takes seconds."""

import json

import pytest
from PIL import Image

from mmseg_langseg.apis.compare import ComparisonRow, settings_key
from tests.scripts import ROOT, load_script


@pytest.mark.slow
def test_quickstart_ends_with_a_table_and_a_picture(tmp_path, capsys):
    quickstart = load_script('tools/quickstart.py')
    arguments = ['--work-dir', str(tmp_path), '--iterations', '2', '--test-scenes', '20']
    rows = quickstart.main(arguments)
    assert [row.name for row in rows] == ['CLIP', 'PixelCLIP']
    assert rows[0].checkpoint is None and rows[1].seconds > 0
    text = capsys.readouterr().out
    assert f'{rows[1].raw:.1f}' in text and 'centered' in text
    assert Image.open(next(tmp_path.glob('*/quickstart.png'))).size[1] == 4 * 64 * 2


def test_table_of_means(tmp_path):
    compare = load_script('tools/compare.py')
    by_seed = [
        [ComparisonRow('CLIP', 20.0, 30.0, 0), ComparisonRow('PixelCLIP', 26.0, 32.5, 60, 'a.pth')],
        [ComparisonRow('CLIP', 22.0, 31.0, 0), ComparisonRow('PixelCLIP', 27.0, 34.5, 80, 'b.pth')],
    ]
    lines = compare.print_table(by_seed).splitlines()
    assert lines[2] == '| CLIP | 21.0 (20.0 / 22.0) | +0.0 | 30.5 (30.0 / 31.0) | +0.0 | 0 |'
    assert lines[3].startswith(
        '| PixelCLIP | 26.5 (26.0 / 27.0) | +5.5 | 33.5 (32.5 / 34.5) | +3.0'
    )


def test_a_finished_row_is_not_computed_again_and_never_mistaken(tmp_path):
    compare = load_script('tools/compare.py')
    config = str(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')
    arguments = [config, '--clip-seeds', '0', '--work-dir', str(tmp_path)]
    options = {
        'model.clip.pretrained': 'embedded:clip_resnet_tiny_seed0',
        'randomness.seed': 0,
        'test_dataloader.dataset.split': 'test',
    }
    for name in ('clip', 'resnet_synthetic'):
        folder = tmp_path / 'seed0' / name
        folder.mkdir(parents=True)
        row = dict(name=name, raw=1.0, centered=2.0, seconds=0.0, checkpoint=None)
        row['settings'] = settings_key(config, str(folder), options)
        (folder / 'row.json').write_text(json.dumps(row))
    compare.main(arguments)
    assert '| resnet_synthetic | 1.0' in (tmp_path / 'table.md').read_text()
    with pytest.raises(ValueError, match='other settings'):
        compare.main([*arguments, '--cfg-options', 'train_cfg.max_iters=7'])
