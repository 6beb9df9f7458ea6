"""Ablation tables at a size that takes seconds: interruptions, shared rows, other settings."""

import json
from pathlib import Path

import pytest

from mmseg_langseg.apis import compare, run_training
from mmseg_langseg.apis.compare import seed_options, settings_key
from tests.scripts import load_script

TOOL = load_script('tools/ablations.py')
CLIP = 'embedded:clip_resnet_tiny_seed{seed}'
TINY = {
    'train_cfg.max_iters': 1,
    'train_dataloader.batch_size': 2,
    'train_dataloader.dataset.num_scenes': 2,
    'val_dataloader.dataset.num_scenes': 2,
    'test_dataloader.dataset.num_scenes': 2,
    'centering_dataset.num_scenes': 2,
}


def arguments(table, folder, **changed):
    options = [f'{key}={value}' for key, value in {**TINY, **changed}.items()]
    return ['--tables', table, '--work-dir', str(folder), '--cfg-options', *options]


def test_an_interrupted_run_goes_on_and_trains_each_row_once(tmp_path, monkeypatch, capsys):
    trained = []

    def train(config, work_dir, **options):
        trained.append(Path(work_dir).name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return run_training(config, work_dir, **options)

    monkeypatch.setattr(compare, 'run_training', train)
    with pytest.raises(KeyboardInterrupt):
        TOOL.main(arguments('6b', tmp_path))
    file = tmp_path / 'tables.md'
    (unfinished,) = [line for line in file.read_text().splitlines() if 'not finished' in line]
    assert unfinished.startswith('| exact masks')
    monkeypatch.setattr(compare, 'test_both', lambda *_: ({'mIoU': 1.25}, {'mIoU': 2.0}))
    for _ in range(2):
        TOOL.main(arguments('6b', tmp_path))
        assert trained == ['resnet_synthetic', 'exact-masks', 'exact-masks']
    text = file.read_text()
    assert text.partition('\n')[2] in capsys.readouterr().out and 'not finished' not in text
    content = json.loads((tmp_path / 'tables.json').read_text())
    first, second = content['results_by_clip_seed']['0'].values()
    assert second['raw'] == 1.25 and 0 < first['raw'] != first['centered'] > 0
    lines = [line.split(' | ')[1:4] for line in text.splitlines()[-2:]]
    assert lines == [
        ['1.2', '2.0', '24.1'],
        [f'{first["raw"]:.1f}', f'{first["centered"]:.1f}', '21.1'],
    ]
    with pytest.raises(ValueError, match=r'row.json was measured with other'):
        TOOL.main(arguments('6b', tmp_path, **{'train_cfg.max_iters': 2}))
    file.write_text('mine')
    with pytest.raises(FileExistsError, match=r'tables.md.*nothing was written'):
        TOOL.main(arguments('6b', tmp_path))


def test_options_that_a_later_row_cannot_take_are_refused_before_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, 'run_training', lambda *_, **__: pytest.fail('too late'))
    options = {'model.decode_head.prompts': None}
    with pytest.raises(ValueError, match=r'prompts replaces what .*num_clusters changes'):
        TOOL.main(arguments('3b', tmp_path, **options))


def test_templates_in_testing_are_tested_on_the_weights_of_their_training(tmp_path, monkeypatch):
    tested = []

    def test_both(config, checkpoint, work_dir, options):
        tested.append((checkpoint, options.get('model.decode_head.templates')))
        return {'mIoU': 1.0}, {'mIoU': 3.0}

    monkeypatch.setattr(compare, 'test_both', test_both)
    study = TOOL.AblationStudy.read(TOOL.resource_folder('configs') / TOOL.TABLES, TOOL.CONFIG)
    for seed in (0, 1):
        options = seed_options(CLIP, seed, 'test', TINY)
        for name, raw in (('resnet_synthetic', 5.0), ('trained-with-8', 7.0)):
            folder = tmp_path / f'seed{seed}' / name
            folder.mkdir(parents=True)
            changed = {**options, **study.runs[name].get('options', {})}
            row = dict(name=name, raw=raw + seed, centered=9.0, seconds=1.0)
            row['settings'] = settings_key(TOOL.CONFIG, str(folder), changed)
            (folder / 'row.json').write_text(json.dumps({**row, 'checkpoint': f'{name}-{seed}'}))
    TOOL.main([*arguments('5', tmp_path), '--clip-seeds', '0', '1'])
    assert tested == [
        (f'{name}-{seed}', 'imagenet_select')
        for seed in (0, 1) for name in ('resnet_synthetic', 'trained-with-8')
    ]  # fmt: skip
    lines = (tmp_path / 'tables.md').read_text().splitlines()[-4:]
    assert [line.split(' | ')[1] for line in lines] == [
        '5.5 (5.0 / 6.0)', '1.0 (1.0 / 1.0)', '7.5 (7.0 / 8.0)', '1.0 (1.0 / 1.0)'
    ]  # fmt: skip
