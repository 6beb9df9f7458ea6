"""Several models on several benchmarks: records, resumed runs, tables."""

import csv
import json

import pytest
from PIL import Image

from mmseg_langseg.apis import evaluation_run
from mmseg_langseg.apis.evaluation_run import EvaluatedModel, evaluate_all
from mmseg_langseg.apis.evaluation_table import markdown_table, read_published, write_tables
from mmseg_langseg.fileio import write_whole_file
from tests.configs import load, tiny_model
from tests.scripts import ROOT, load_script
from tests.test_datasets.test_benchmark_datasets import BENCHMARKS, write_benchmark

NAMES = ['pascal_voc20', 'cityscapes']


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """Return two configs of tiny models; the working folder has two benchmarks."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        image, labels, _, values = BENCHMARKS[name]
        dataset = load('pixelclip/vit-b16_coco.py', name).test_dataloader.dataset
        root = tmp_path / dataset.data_root
        write_benchmark(root, image, labels, values)
        if dataset.get('ann_file'):
            listed = [image.format(i).rpartition('/')[2].rpartition('.')[0] for i in (1, 2)]
            (root / dataset.ann_file).parent.mkdir(parents=True)
            (root / dataset.ann_file).write_text('\n'.join(listed))
    paths = []
    for name in ('pixelclip/vit-b16_coco.py', 'naclip/vit-b16.py'):
        cfg = load(name)
        cfg.model = tiny_model(cfg)
        cfg.model.decode_head.text_encoder.cache_dir = None
        paths.append(f'{name.split("/")[0]}.py')
        cfg.dump(paths[-1])
    return paths


OPTIONS = {
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'model.decode_head.templates': 'single',
    'log_level': 'ERROR',
}


def test_each_pair_is_tested_once_and_a_killed_run_resumes(configs, tmp_path, monkeypatch):
    models = [EvaluatedModel.parse(path) for path in configs]
    tested = []

    def fake_test(cfg, weights, work_dir, launcher):
        """Write the record that the hook would write, or die in the fourth test."""
        if len(tested) == 3:
            raise KeyboardInterrupt
        tested.append(cfg)
        hook = cfg.custom_hooks[-1]
        assert hook['type'] == 'TestRecordHook'
        write_whole_file(hook['path'], json.dumps(dict(hook['record'], metrics={})).encode())

    monkeypatch.setattr(evaluation_run, 'run_test', fake_test)
    said = []
    arguments = (models, NAMES, 'out', None, OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        evaluate_all(*arguments, say=said.append)
    assert len(list((tmp_path / 'out/results').rglob('*.json'))) == 3
    tested.clear()
    records = evaluate_all(*arguments, say=said.append)
    assert len(tested) == 1 and said[-1] == '[4/4] naclip on cityscapes'
    assert [(r['name'], r['benchmark']) for r in records] == [
        (name, benchmark) for name in ('pixelclip', 'naclip') for benchmark in NAMES
    ]
    assert 'naclip' in str(records[2]['readout']) and records[0]['test_cfg'] == {'mode': 'whole'}
    # Another setting is another test.
    tested.clear()
    changed = {**OPTIONS, 'model.decode_head.templates': 'imagenet_select'}
    evaluate_all(models[:1], NAMES[:1], 'out', None, changed, say=said.append)
    assert len(tested) == 1


def test_the_command(configs, tmp_path, capsys):
    tool = load_script('tools/eval_all.py')
    options = [f'{key}={value}' for key, value in OPTIONS.items()]
    paper = [dict(name='Method', source='its paper', mIoU={'pascal_voc20': 12.34})]
    (tmp_path / 'paper.json').write_text(json.dumps(paper))
    command = ['--models', f'ours:{configs[0]}', '--benchmarks', 'voc20', '--out', 'out']
    (record,) = tool.main([*command, '--compare', 'paper.json', '--cfg-options', *options])
    assert record['name'] == 'ours' and record['benchmark'] == 'pascal_voc20'
    assert 0 <= record['metrics']['mIoU'] <= 100 and record['num_images'] == 2
    assert record['images_per_second'] > 0 and record['peak_memory_mib'] > 100
    assert record['num_classes'] == 20 and len(record['vocabulary']) == 12
    printed = capsys.readouterr().out
    assert f'| ours | {record["metrics"]["mIoU"]:.1f} |' in printed
    assert '| Method (published: its paper) | 12.3 |' in printed
    assert (tmp_path / 'out/table.md').read_text() in printed
    (row,) = csv.DictReader((tmp_path / 'out/table.csv').open())
    assert float(row['mIoU']) == record['metrics']['mIoU'] and row['name'] == 'ours'
    assert json.loads((tmp_path / 'out/table.json').read_text())['ours'] == [record]


def test_records_and_tables_hold_masks_metrics_and_corruption(configs, tmp_path):
    tool = load_script('tools/eval_all.py')
    command = ['--models', f'ours:{configs[0]}', '--benchmarks', 'voc20', '--out', 'out']
    command += ['--masks', 'ground_truth', '--boundary-iou', '--corruption', 'contrast']
    options = ['--cfg-options', *(f'{key}={value}' for key, value in OPTIONS.items())]
    # The images of the benchmark are too small to be corrupted.
    for path in (tmp_path / 'data').rglob('*.jpg'):
        Image.open(path).resize((72, 48)).save(path)
    for path in (tmp_path / 'data').rglob('*.png'):
        Image.open(path).resize((72, 48), Image.Resampling.NEAREST).save(path)
    (record,) = tool.main([*command, '--severity', '3', *options])
    names = {'mIoU', 'aAcc', 'mAcc', 'mask_accuracy', 'mask_class_accuracy', 'coverage'}
    assert set(record['metrics']) == names | {'num_masks', 'boundary_mIoU'}
    assert (record['masks'], record['corruption']) == ('ground_truth', 'contrast, severity 3')
    assert record['metrics']['coverage'] == 100 and record['test_cfg']['classify_masks']
    (row,) = csv.DictReader((tmp_path / 'out/table.csv').open())
    assert float(row['boundary_mIoU']) == record['metrics']['boundary_mIoU']
    assert (row['masks'], row['corruption']) == ('ground_truth', 'contrast, severity 3')
    table = (tmp_path / 'out/table.md').read_text()
    assert '| test_cfg | masks | corruption |' in table and '| boundary_mIoU |' in table
    # Another severity is another test, the same one is not repeated.
    (again,) = tool.main([*command, '--severity', '3', *options])
    assert again == record
    (other,) = tool.main([*command, '--severity', '5', *options])
    assert other['corruption'] == 'contrast, severity 5' and other['settings'] != record['settings']


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('clip-vit-b16', ('clip-vit-b16', 'clip-vit-b16', None)),
        (
            'pixelclip/vit-b16_coco.py',
            ('pixelclip-vit-b16_coco', 'pixelclip/vit-b16_coco.py', None),
        ),
        ('a.py=w/iter_4.pth', ('a-iter_4', 'a.py', 'w/iter_4.pth')),
        ('ours:a.py=w.pth', ('ours', 'a.py', 'w.pth')),
    ],
)
def test_models_of_the_command_line(text, expected):
    model = EvaluatedModel.parse(text)
    assert (model.name, model.config, model.weights) == expected


@pytest.mark.parametrize('text', ['', '=w.pth', 'a.py=', ':a.py', 'name:'])
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match='NAME'):
        EvaluatedModel.parse(text)


def test_errors_come_before_the_first_test(configs, monkeypatch):
    monkeypatch.setattr(evaluation_run, 'run_test', lambda *_, **__: pytest.fail('tested'))
    one, other = (EvaluatedModel.parse(path) for path in configs)
    with pytest.raises(ValueError, match="two models are called 'pixelclip'"):
        evaluate_all([one, other, one], NAMES, 'out')
    with pytest.raises(ValueError, match="no benchmark 'gone'"):
        evaluate_all([one], ['pascal_voc20', 'gone'], 'out')
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        evaluate_all([one, EvaluatedModel('x', 'naclip.py', 'gone.pth')], NAMES, 'out')
    with pytest.raises(ValueError, match='no protocol'):
        evaluate_all([one], NAMES, 'out', 'gone')


def test_published_numbers(tmp_path):
    rows = read_published(ROOT / 'docs/published.json')
    assert all(0 < value < 100 for row in rows for value in row['mIoU'].values())
    assert {name for row in rows for name in row['mIoU']} <= set(BENCHMARKS)
    assert markdown_table([], rows).count('\n') == 5  # none of their benchmarks was tested
    write_tables([], tmp_path)
    assert (tmp_path / 'table.csv').read_text().startswith('name,benchmark')
    for bad in ('{}', '[{"name": "a"}]', '[{"name": "a", "source": "b", "mIoU": {"c": "d"}}]'):
        (tmp_path / 'bad.json').write_text(bad)
        with pytest.raises(ValueError, match='expected a list'):
            read_published(tmp_path / 'bad.json')
