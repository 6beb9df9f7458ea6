"""Options of a test: masks instead of pixels, Boundary IoU, corrupted images."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.apis import run_test
from mmseg_langseg.apis.evaluation_options import EvaluationOptions
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.masks.formats import encode_masks, write_mask_file
from tests.configs import load, tiny_model
from tests.scripts import ROOT, load_script

MASKS = EvaluationOptions(masks='ground_truth')
FOG = EvaluationOptions(corruption='fog', severity=2)
SIZES = [(48, 72), (60, 40), (40, 50)]


def test_the_config_is_the_option():
    own = load('pixelclip/convnext-b_test-masks.py')
    cfg = load_config(load('pixelclip/convnext-b_coco.py'), options=MASKS)
    for key in ('model', 'test_dataloader', 'test_evaluator'):
        assert own[key] == cfg[key], key


@pytest.mark.parametrize('protocol', [None, 'naclip', 'sclip'])
def test_masks_stay_with_another_benchmark_and_protocol(protocol):
    own = load_config('pixelclip/convnext-b_test-masks', benchmark='voc21', protocol=protocol)
    plain = load_config('pixelclip/convnext-b_coco', benchmark='voc21', protocol=protocol)
    steps = own.test_dataloader.dataset.pipeline
    assert [step.type for step in steps[:3]] == [
        step.type for step in plain.test_dataloader.dataset.pipeline[:3]
    ]
    assert [step.type for step in steps[3:]] == ['LoadMaskProposals', 'PackSegInputs']
    expected = {**plain.model.test_cfg, 'classify_masks': True}
    for name in ('pamr', 'area_threshold'):
        expected.pop(name, None)
    assert own.model.test_cfg == expected
    assert [one.type for one in own.test_evaluator] == ['IoUMetric', 'MaskClassificationMetric']


def test_more_than_255_classes_and_several_metrics():
    options = EvaluationOptions(masks='ground_truth', boundary_iou=True)
    cfg = load_config('pixelclip/vit-b16_coco', benchmark='ade20k_847', options=options)
    assert cfg.test_dataloader.dataset.pipeline[3].ignore_index == 65535
    assert {one.ignore_index for one in cfg.test_evaluator} == {65535}
    cfg = load_config('clips4/r50_voc', options=options)
    kinds = ['KnownUnknownIoUMetric', 'MaskClassificationMetric', 'BoundaryIoUMetric']
    assert [one.type for one in cfg.test_evaluator] == kinds


def test_refinements_of_pixels_are_removed():
    cfg = load_config('maskclip/vit-b16_official', options=MASKS)
    head = load('maskclip/vit-b16_official.py').model.decode_head
    assert 'prompt_denoising' in head and 'prompt_denoising' not in cfg.model.decode_head


def test_images_are_corrupted_as_they_are_loaded():
    cfg = load_config('pixelclip/vit-b16_coco', benchmark='ade20k', options=FOG)
    for pipeline in (cfg.test_dataloader.dataset.pipeline, cfg.tta_pipeline):
        assert [step.type for step in pipeline[:2]] == ['LoadImageFromFile', 'Corrupt']
        assert (pipeline[1].corruption, pipeline[1].severity) == ('fog', 2)
    assert cfg.test_evaluator.type == 'IoUMetric'


def test_wrapped_datasets():
    cfg = load('pixelclip/vit-b16_coco.py')
    parts = [cfg.test_dataloader.dataset, load('pixelclip/vit-b16_coco.py', 'ade20k')]
    parts[1] = parts[1].test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    both = EvaluationOptions(masks=str(ROOT / 'docs'), corruption='fog', severity=1)
    for dataset in load_config(cfg, options=both).test_dataloader.dataset.datasets:
        kinds = [step.type for step in dataset.pipeline]
        assert kinds[1] == 'Corrupt' and kinds[-2] == 'LoadMaskProposals'
        root = f'{dataset.data_root}/{dataset.data_prefix.img_path}'
        assert dataset.pipeline[-2].image_root == root


@pytest.fixture
def photos(tmp_path):
    """Write three images of different sizes, label maps, mask files, and a tiny model's config."""
    for index, size in enumerate(SIZES):
        rng = np.random.default_rng(index)
        labels = np.zeros(size, np.uint8)
        labels[:20], labels[25:, 20:], labels[:, -3:] = 1, 2, 255
        image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        for folder, array in (('images', image), ('labels', labels)):
            path = tmp_path / f'photos/val/{folder}/{index}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
        masks = np.zeros((3, *size), bool)
        masks[0, :18, :30], masks[1, 22:, 5:35], masks[2, :, -2:] = True, True, True
        write_mask_file(tmp_path / f'masks/{index}.json', encode_masks(masks), size, f'{index}.png')
    (tmp_path / 'photos/classes.txt').write_text('cat\ndog\ngrass\n')
    cfg = load('pixelclip/vit-b16_test-photos.py')
    cfg.model = tiny_model(cfg)
    cfg.model.decode_head.text_encoder.cache_dir = None
    cfg.model.decode_head.templates = 'single'
    cfg.test_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'photos')
    cfg.work_dir = str(tmp_path / 'work')
    cfg.log_level = 'ERROR'
    cfg.dump(tmp_path / 'config.py')
    return tmp_path


def test_masks_of_files_from_the_command_line(photos):
    test = load_script('tools/test.py')
    out = photos / 'out'
    options = ['--masks', str(photos / 'masks'), '--out', str(out), '--boundary-iou']
    metrics = test.main([str(photos / 'config.py'), *options])
    assert metrics['num_masks'] == 6  # one of each image is on unlabeled pixels
    covered = labeled = right = 0
    for index, size in enumerate(SIZES):
        painted = np.array(Image.open(out / f'{index}.png'))
        expected = np.zeros(size, bool)
        expected[:18, :30] = expected[22:, 5:35] = expected[:, -2:] = True
        assert np.array_equal(painted != 255, expected)
        labels = np.array(Image.open(photos / f'photos/val/labels/{index}.png'))
        covered += (expected & (labels != 255)).sum()
        labeled += (labels != 255).sum()
        right += ((painted == labels) & (labels != 255)).sum()
    assert metrics['coverage'] == pytest.approx(100 * covered / labeled, abs=0.01)
    assert metrics['aAcc'] == pytest.approx(100 * right / labeled, abs=0.01)
    assert 'boundary_mIoU' in metrics


def test_errors_come_before_the_model(photos, monkeypatch):
    monkeypatch.setattr('mmseg_langseg.apis.test.launch_runner', lambda _: pytest.fail('built'))
    config = str(photos / 'config.py')

    def options(**values):
        return dict(options=EvaluationOptions(**values))

    with pytest.raises(ValueError, match='--corruption is fog and --severity None: give both'):
        options(corruption='fog')
    with pytest.raises(ValueError, match='--corruption is None and --severity 3'):
        options(severity=3)
    with pytest.raises(ValueError, match="unknown corruption 'rain'"):
        run_test(config, **options(corruption='rain', severity=3))
    with pytest.raises(FileNotFoundError, match="--masks 'gone': there is no such folder"):
        run_test(config, **options(masks='gone'))
    with pytest.raises(ValueError, match='--tta averages pixels'):
        run_test(config, tta=True, **options(masks='ground_truth'))
    (photos / 'masks/1.json').unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 images have no mask file.*/1\.json'"):
        run_test(config, **options(masks=str(photos / 'masks')))
    probe = 'clips4/transfer/r50_voc_linear-probe'
    with pytest.raises(ValueError, match='--masks needs a LanguageSegmentor; '):
        load_config(probe, **options(masks='ground_truth'))
    broken = Config(dict(load(f'{probe}.py')))
    broken.test_dataloader.dataset.pipeline = [dict(type='PackSegInputs')]
    with pytest.raises(ValueError, match='has no step that loads an image'):
        load_config(broken, **options(corruption='fog', severity=1))
