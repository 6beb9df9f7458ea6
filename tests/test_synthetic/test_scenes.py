import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS, TRANSFORMS
from pycocotools import mask as coco_mask

from mmseg_langseg.datasets.transforms.pixel_index import pixel_index_map
from mmseg_langseg.synthetic.load_synthetic_scene import LoadSyntheticScene
from mmseg_langseg.synthetic.renderer import (
    BACKGROUND_CLASSES,
    CLASSES,
    OBJECT_CLASSES,
    SPLITS,
    render_scene,
)
from mmseg_langseg.synthetic.scenes import SyntheticScenesDataset


@pytest.fixture(scope='module')
def scenes():
    return [render_scene('train', index) for index in range(150)]


def named_in(caption):
    words = caption.replace(',', ' ').replace('.', ' ').split()
    return {name for name in CLASSES if name in words}


def present(scene):
    return {CLASSES[label] for label in np.unique(scene.labels)}


def test_classes():
    assert len(OBJECT_CLASSES) >= 12
    assert len(BACKGROUND_CLASSES) >= 5
    assert CLASSES == OBJECT_CLASSES + BACKGROUND_CLASSES
    assert len(set(CLASSES)) == len(CLASSES)


@pytest.mark.parametrize('split', sorted(SPLITS))
def test_same_index_same_scene(split):
    first, again, other = (render_scene(split, i) for i in (7, 7, 8))
    for field in ('image', 'labels', 'masks'):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert first.caption == again.caption
    assert not np.array_equal(first.image, other.image)


def test_does_not_touch_the_global_seed():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    render_scene('test', 0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_splits_share_no_scene():
    pictures = [render_scene(split, i).image.tobytes() for split in SPLITS for i in range(40)]
    assert len(set(pictures)) == len(pictures)


def test_types_and_ranges(scenes):
    for scene in scenes:
        assert scene.image.dtype == np.uint8 and scene.image.shape == (64, 64, 3)
        assert scene.labels.dtype == np.uint8 and scene.labels.shape == (64, 64)
        assert scene.masks.dtype == bool and scene.masks.shape[1:] == (64, 64)
        assert scene.labels.max() < len(CLASSES)
        assert len(present(scene) & set(BACKGROUND_CLASSES)) == 1
    assert set().union(*(present(scene) for scene in scenes)) == set(CLASSES)


def test_another_size_is_the_same_scene():
    small, large = render_scene('test', 5), render_scene('test', 5, size=128)
    assert small.caption == large.caption
    assert large.image.shape == (128, 128, 3)
    assert (large.labels[::2, ::2] == small.labels).mean() > 0.95


def test_num_objects():
    for count in (1, 3):
        scene = render_scene('tune', 11, num_objects=count)
        assert len(present(scene) & set(OBJECT_CLASSES)) == count


def test_masks_are_as_a_mask_generator_gives_them(scenes):
    overlaps = parts = groups = whole_grounds = split_grounds = 0
    for scene in scenes:
        masks, labels = scene.masks, scene.labels
        assert masks.any(axis=(1, 2)).all()
        is_object = labels < len(OBJECT_CLASSES)
        covered = masks.any(axis=0)
        assert covered[is_object].mean() > 0.95
        inter = np.einsum('nhw,mhw->nm', masks.astype(int), masks.astype(int))
        np.fill_diagonal(inter, 0)
        overlaps += inter.any()
        for mask in masks:
            inside = np.unique(labels[mask])
            if not is_object[mask].any():
                share = mask.sum() / (~is_object).sum()
                whole_grounds += share == 1
                split_grounds += share < 0.9
            elif is_object[mask].all():
                groups += len(inside) > 1
                parts += len(inside) == 1 and mask.sum() < 0.9 * (labels == inside[0]).sum()
            else:
                pytest.fail('a mask mixes object and background')
    # each kind of mask occurs in many scenes, none in all of them
    for count in (overlaps, parts, groups, whole_grounds, split_grounds):
        assert count > 0.1 * len(scenes)
    assert whole_grounds < 0.8 * len(scenes)


def test_every_object_has_a_mask_of_its_own(scenes):
    for scene in scenes:
        for label in np.unique(scene.labels):
            region = scene.labels == label
            if label < len(OBJECT_CLASSES) and region.sum() > 20:
                assert (scene.masks == region).all(axis=(1, 2)).any()


def test_captions_name_what_is_there(scenes):
    with_ground = dropped = 0
    for scene in scenes:
        named = named_in(scene.caption)
        assert named and named <= present(scene), scene.caption
        with_ground += bool(named & set(BACKGROUND_CLASSES))
        dropped += bool(present(scene) & set(OBJECT_CLASSES) - named)
    assert 0.3 < with_ground / len(scenes) < 0.8
    assert 0.2 < dropped / len(scenes) < 0.8
    assert any(scene.caption.endswith('in the scene') for scene in scenes)


def test_color_does_not_give_the_class_away():
    """Nearest-class-mean classification by an object's mean color stays near chance."""
    features, names = [], []
    for index in range(500):
        scene = render_scene('train', index, num_objects=1)
        region = scene.labels < len(OBJECT_CLASSES)
        colors = scene.image[region] / 255
        features.append(colors.mean(axis=0))
        names.append(scene.labels[region][0])
    features, names = np.array(features), np.array(names)
    train = np.arange(500) < 350
    test = ~train
    centers = np.stack(
        [features[train][names[train] == k].mean(axis=0) for k in range(len(OBJECT_CLASSES))]
    )
    distance = np.linalg.norm(features[test][:, None] - centers, axis=-1)
    accuracy = (distance.argmin(axis=1) == names[test]).mean()
    assert accuracy < 1.8 / len(OBJECT_CLASSES)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(split='val', index=0), "unknown split 'val'.*'test'"),
        (dict(split='test', index=-1), 'index=-1'),
        (dict(split='test', index=0, size=8), 'size=8'),
        (dict(split='test', index=0, num_objects=9), 'got 9'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        render_scene(**arguments)


def test_pixel_index_map():
    numbers = pixel_index_map(3, 5)
    assert numbers.dtype == np.int32
    assert all(numbers[row, col] == row * 5 + col for row in range(3) for col in range(5))
    with pytest.raises(ValueError, match='height=0'):
        pixel_index_map(0, 5)


def test_dataset_with_labels():
    pipeline = [
        TRANSFORMS.build(dict(type='LoadSyntheticScene')),
        TRANSFORMS.build(
            dict(type='PackSegInputs', meta_keys=('img_path', 'ori_shape', 'img_shape'))
        ),
    ]
    dataset = DATASETS.build(
        dict(
            type='SyntheticScenesDataset',
            split='test',
            num_scenes=6,
            pipeline=pipeline,
            test_mode=True,
        )
    )
    assert len(dataset) == 6
    assert dataset.metainfo['classes'] == CLASSES
    assert len(dataset.metainfo['palette']) == len(CLASSES)
    sample, scene = dataset[4], render_scene('test', 4)
    # BGR, as returned by the toolbox's loader
    np.testing.assert_array_equal(
        sample['inputs'].numpy(), scene.image[..., ::-1].transpose(2, 0, 1)
    )
    labels = sample['data_samples'].gt_sem_seg.data
    assert torch.equal(labels[0], torch.as_tensor(scene.labels).long())
    assert sample['data_samples'].ori_shape == (64, 64)


def test_dataset_of_chosen_classes():
    chosen = ('star', 'waves')
    dataset = SyntheticScenesDataset(
        'test', 30, metainfo=dict(classes=chosen), pipeline=[LoadSyntheticScene()]
    )
    for index in range(30):
        labels, scene = dataset[index]['gt_seg_map'], render_scene('test', index)
        for new, name in enumerate(chosen):
            np.testing.assert_array_equal(labels == new, scene.labels == CLASSES.index(name))
        assert set(np.unique(labels)) <= {0, 1, 255}


def test_loader_with_masks_shows_no_labels():
    results = LoadSyntheticScene(with_masks=True)(dict(split='train', scene_index=3))
    scene = render_scene('train', 3)
    decoded = coco_mask.decode(results['mask_rles']).transpose(2, 0, 1).astype(bool)
    np.testing.assert_array_equal(decoded, scene.masks)
    assert all(rle['size'] == [64, 64] for rle in results['mask_rles'])
    assert all(isinstance(rle['counts'], str) for rle in results['mask_rles'])
    np.testing.assert_array_equal(results['gt_seg_map'], pixel_index_map(64, 64))
    assert results['seg_fields'] == ['gt_seg_map']
    assert results['img_shape'] == results['ori_shape'] == (64, 64)


def test_exact_masks_are_those_of_the_labels():
    results = LoadSyntheticScene(with_masks=True, exact_masks=True)(
        dict(split='train', scene_index=3)
    )
    labels = render_scene('train', 3).labels
    decoded = coco_mask.decode(results['mask_rles']).transpose(2, 0, 1).astype(bool)
    assert len(decoded) == len(np.unique(labels)) > 1
    for mask, label in zip(decoded, np.unique(labels), strict=True):
        np.testing.assert_array_equal(mask, labels == label)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(dict(split='val', num_scenes=3), 'val'), (dict(split='test', num_scenes=0), 'got 0')],
)
def test_bad_dataset_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SyntheticScenesDataset(**arguments)
