"""Labeled data from files to mIoU, and the label maps that a test writes."""

import json
import os

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.apis import run_test, run_training
from mmseg_langseg.apis import test as test_api
from mmseg_langseg.apis import train as train_api
from mmseg_langseg.apis.benchmark import list_benchmarks
from mmseg_langseg.apis.data_check import check_data, check_not_among_data, start_label_maps
from mmseg_langseg.datasets import LabelFileError
from tests.configs import load, tiny_model

NAMES = [f'thing {i}' for i in range(11)]
SIZE = (24, 36)


@pytest.fixture
def photos(tmp_path):
    """PNG photos, some in subfolders, with labels 0 to 11 and 11 names, as in CamVid."""
    (tmp_path / 'classes.txt').write_text('\n'.join(NAMES))
    rng = np.random.default_rng(0)
    for name in ('a', 'day/a', 'night/a'):
        for folder, top, shape in (('images', 256, (*SIZE, 3)), ('labels', 12, SIZE)):
            path = tmp_path / 'val' / folder / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, top, shape, dtype=np.uint8)).save(path)
    return tmp_path


def config(root, **changes):
    cfg = load('pixelclip/vit-b16_test-photos.py')
    cfg.model = tiny_model(cfg)
    cfg.model.decode_head.templates = 'single'
    cfg.model.decode_head.text_encoder.cache_dir = None
    cfg.model.backbone.pop('init_cfg', None)
    cfg.model.data_preprocessor.update(input_size=(32, 32))
    for loader in (cfg.test_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), **changes)
        loader.dataset.pipeline[1] = dict(type='Resize', scale=(128, 64), keep_ratio=True)
    cfg.log_level, cfg.work_dir = 'ERROR', str(root / 'work')
    cfg.randomness = dict(seed=0)
    return cfg


def read(path):
    return np.asarray(Image.open(path))


def miou(root, out, void=11):
    """Compute mIoU without void pixels and classes that neither occur nor are predicted."""
    names = ('a', 'day/a', 'night/a')
    truth = np.stack([read(root / f'val/labels/{name}.png') for name in names])
    found = np.stack([read(out / f'{name}.png') for name in names])
    counted, ious = truth != void, []
    for label in range(11):
        is_label, is_found = counted & (truth == label), counted & (found == label)
        if (is_label | is_found).any():
            ious.append((is_label & is_found).sum() / (is_label | is_found).sum())
    return 100 * np.mean(ious)


def test_labels_beyond_the_names_stop_before_the_model_is_built(photos, monkeypatch):
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    monkeypatch.setattr(train_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    cfg = config(photos)
    cfg.update(train_dataloader=dict(), train_cfg=dict(), optim_wrapper=dict())
    for run in (run_test, run_training):
        with pytest.raises(LabelFileError) as error:
            run(cfg)
        lines = str(error.value).splitlines()
        assert lines[0] == '3 of 3 images cannot be used:'
        assert f'{photos}/val/labels/a.png: label value 11 (' in lines[1]
        assert 'expected 0 to 10, or an ignored value (255); add the missing class' in lines[1]
        assert 'ignore_index=11 or label_mapping={11: 255}' in lines[1]
        assert '--cfg-options ...dataset.label_mapping.11=255' in lines[1]


@pytest.mark.parametrize('changes', [dict(label_mapping={11: 255}), dict(ignore_index=11)])
def test_with_their_mapping_the_miou_is_right(photos, changes):
    out = photos / 'out'
    figures = run_test(config(photos, **changes), out=str(out))
    assert figures['mIoU'] == pytest.approx(miou(photos, out), abs=0.006)
    assert figures['mIoU'] > miou(photos, out, void=None) + 0.02  # as if void counted
    assert read(out / 'a.png').dtype == np.uint8
    assert not np.array_equal(read(out / 'a.png'), read(out / 'day/a.png'))


@pytest.mark.parametrize(
    'launcher, names',
    [
        ('pytorch', ('RANK', 'WORLD_SIZE')),
        ('slurm', ('SLURM_PROCID', 'SLURM_NTASKS')),
        ('mpi', ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE')),
    ],
)
def test_processes_share_the_files(photos, monkeypatch, launcher, names):
    cfg = config(photos)
    cfg.launcher = launcher
    for rank, files in enumerate((['a', 'night/a'], ['day/a'])):
        for name, value in zip(names, (rank, 2), strict=True):
            monkeypatch.setenv(name, str(value))
        with pytest.raises(LabelFileError) as error:
            check_data(cfg, 'test_dataloader')
        named = [f for f in ('a', 'day/a', 'night/a') if f'labels/{f}.png' in str(error.value)]
        assert named == files


def test_the_toolboxs_way_checks_before_the_first_image(photos):
    """A plain Runner without our run_test: the hook in the configs checks the data."""
    from mmengine.runner import Runner

    cfg = config(photos)
    cfg.launcher = 'none'
    with pytest.raises(LabelFileError, match='label value 11'):
        Runner.from_cfg(cfg).test()
    cfg = config(photos, ignore_index=11)
    cfg.launcher, cfg.test_evaluator.ignore_index = 'none', 0
    with pytest.raises(ValueError, match='IoUMetric ignores the label 0, but LoadLabelMap gives'):
        Runner.from_cfg(cfg).test()


def toolbox_config(root, evaluator=None):
    """Datasets of the toolbox alone."""
    cfg = config(root)
    data = cfg.test_dataloader.dataset
    data.pipeline[2] = dict(type='LoadAnnotations')
    for key in ('classes', 'ignore_index', 'label_mapping'):
        data.pop(key, None)
    data.update(type='BaseSegDataset', metainfo=dict(classes=NAMES), img_suffix='.png')
    cfg.test_evaluator.update(evaluator or {})
    cfg.launcher = 'none'
    return cfg


def test_datasets_of_the_toolbox_are_checked(photos, monkeypatch):
    from mmengine.runner import Runner

    assert run_test(toolbox_config(photos, dict(ignore_index=11)))['mIoU'] >= 0
    message = r'a\.png: label value 11 .* expected [01] to 10'
    for evaluator in ({}, dict(ignore_index=0)):
        with pytest.raises(LabelFileError, match=message):
            Runner.from_cfg(toolbox_config(photos, evaluator)).test()
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    with pytest.raises(LabelFileError, match=message):
        run_test(toolbox_config(photos))


def test_the_toolboxs_label_maps_of_8_bits_are_refused(photos):
    from mmengine.runner import Runner

    (photos / 'classes.txt').write_text('\n'.join(f'thing {i}' for i in range(300)))
    cfg = config(photos)
    cfg.launcher, cfg.test_evaluator.output_dir = 'none', str(photos / 'out')
    cfg.test_evaluator.ignore_index = 65535
    cfg.test_dataloader.dataset.pipeline[2].ignore_index = 65535
    for path in photos.glob('val/labels/**/*.png'):
        Image.fromarray(read(path).astype(np.uint16)).save(path)
    with pytest.raises(ValueError, match=r'8-bit .*, too few for 300 classes; use tools/test\.py'):
        Runner.from_cfg(cfg).test()


@pytest.mark.parametrize('name', ['val/images', 'classes.txt'])
def test_missing_data_stop_before_the_model_is_built(photos, monkeypatch, name):
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    (photos / name).rename(photos / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=rf'{photos}/{name}'):
        run_test(config(photos))


@pytest.mark.parametrize('name', [n for n in list_benchmarks() if 'synthetic' not in n])
def test_missing_benchmarks_are_named_with_their_key(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    cfg = load('pixelclip/vit-b16_coco.py')
    with pytest.raises(FileNotFoundError, match=r'missing: data/.*test_dataloader\.dataset'):
        run_test(cfg, work_dir=str(tmp_path / 'work'), benchmark=name)


def test_missing_training_images_stop_before_the_model_is_built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    for name in ('pixelclip/vit-b16_coco.py', 'clips4/r50_voc.py', 'clips4/r50_photos.py'):
        with pytest.raises(FileNotFoundError, match=r'missing: data/.*train_dataloader\.dataset'):
            run_training(load(name), work_dir=str(tmp_path / 'work'))


def test_a_folder_without_images_says_so(photos):
    cfg = config(photos)
    cfg.test_dataloader.dataset = dict(
        type='BaseSegDataset',
        metainfo=dict(classes=NAMES),
        data_root=str(photos / 'val'),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        pipeline=[dict(type='LoadLabelMap')],
    )
    with pytest.raises(ValueError, match=r"BaseSegDataset found no image in .*'images'"):
        run_test(cfg)


def test_a_second_test_replaces_its_label_maps_and_nothing_else(photos):
    cfg, out = config(photos, ignore_index=11), photos / 'out'
    run_test(cfg, out=str(out))
    (out / 'note.txt').write_text('mine')
    (out / 'day/a.png.xyz.tmp').write_text('of a killed test')
    (out / 'a.png').write_bytes(b'half')
    run_test(cfg, out=str(out))
    assert read(out / 'a.png').shape == SIZE
    assert (out / 'note.txt').read_text() == 'mine'
    assert not list(out.rglob('*.tmp'))
    (photos / 'classes.txt').write_text('\n'.join(reversed(NAMES)))
    with pytest.raises(ValueError, match="out' were made with other settings: classes was"):
        run_test(cfg, out=str(out))


@pytest.fixture
def untouched(photos):
    """Check that the inputs are the same after a test as before."""

    def contents():
        return {p: p.read_bytes() for p in photos.rglob('*') if p.is_file()}

    before = contents()
    yield
    assert contents() == before


@pytest.mark.parametrize('folder', ['val/labels', 'val/images', 'val/labels/day', 'val/images/new'])
@pytest.mark.parametrize('option', ['out', 'show_dir'])
def test_no_output_among_the_inputs(photos, untouched, monkeypatch, folder, option):
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    name = '--' + option.replace('_', '-')
    with pytest.raises(ValueError, match=f"{name} '.*{folder}' is in .*, which is read"):
        run_test(config(photos, ignore_index=11), **{option: str(photos / folder)})


def test_links_to_the_inputs_are_followed(photos, untouched):
    dataset = DATASETS.build(config(photos, ignore_index=11).test_dataloader.dataset)
    link = photos / 'link'
    link.symlink_to(photos / 'val/labels', target_is_directory=True)
    with pytest.raises(ValueError, match='which is read'):
        check_not_among_data(str(link), dataset, '--out')
    link.unlink()


def test_files_of_another_origin_are_never_replaced(photos):
    dataset = DATASETS.build(config(photos, ignore_index=11).test_dataloader.dataset)
    out = photos / 'mine'
    (out / 'day').mkdir(parents=True)
    (out / 'day/a.png').write_bytes(b'mine')
    with pytest.raises(ValueError, match=r"day/a\.png' exists, but .* has no manifest"):
        start_label_maps(str(out), dataset)
    assert [p.name for p in out.rglob('*')] == ['day', 'a.png']
    (out / 'day/a.png').rename(out / 'day/b.png')
    made = start_label_maps(str(out), dataset)
    assert made['image_root'] == str(photos / 'val/images')
    settings = json.loads((out / '.manifest/settings.json').read_text())['settings']
    assert settings['classes'] == NAMES


@pytest.mark.parametrize('what', ['image', 'folder'])
def test_names_that_opencv_cannot_write_are_refused_before_drawing(photos, monkeypatch, what):
    """OpenCV would crash the process."""
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    odd = os.fsdecode(b'\xff')
    if what == 'image':
        for folder in ('images', 'labels'):
            (photos / f'val/{folder}/a.png').rename(photos / f'val/{folder}/{odd}.png')
    shown = photos / (odd if what == 'folder' else 'shown')
    with pytest.raises(ValueError, match=r'udcff.* is not valid UTF-8.*--show-dir'):
        run_test(config(photos, label_mapping={11: 255}), show_dir=str(shown))


def test_rendered_scenes_are_refused_before_drawing(tmp_path, monkeypatch):
    """MMSegmentation's hook reads the image files again."""
    monkeypatch.setattr(test_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
    with pytest.raises(ValueError, match=r'--show-dir draw on image files, but .* are rendered'):
        run_test('pixelclip/resnet_synthetic', work_dir=tmp_path, show_dir=str(tmp_path / 'shown'))
    assert not list(tmp_path.iterdir())


def test_datasets_joined_into_one_keep_their_folders(photos):
    parts = [config(photos, ignore_index=11).test_dataloader.dataset for _ in range(2)]
    parts[0].data_prefix = dict(img_path='val/images/day', seg_map_path='val/labels/day')
    parts[1].data_prefix = dict(img_path='val/images/night', seg_map_path='val/labels/night')
    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=parts))
    made = start_label_maps(str(photos / 'out'), dataset)
    assert made['image_root'] == str(photos / 'val/images')


def test_format_only_writes_and_measures_nothing(photos):
    cfg = config(photos, ignore_index=11)
    cfg.test_evaluator.format_only = True
    assert run_test(cfg, out=str(photos / 'out')) == {}
    assert read(photos / 'out/night/a.png').shape == SIZE
