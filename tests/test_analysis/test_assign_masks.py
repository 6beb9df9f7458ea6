import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS
from PIL import Image

import mmseg_langseg  # noqa: F401  (registers the modules)
from mmseg_langseg.analysis import MaskLabels, assign_masks, mask_tower, sample_clusters
from mmseg_langseg.datasets.label_files import LabelFileError
from tests.tiny import CONV, VIT, pixelclip, training_batch

KEYS = ('gt_seg_map', 'img_path', 'ori_shape', 'split', 'scene_index')


@pytest.mark.parametrize('arch', [VIT, CONV], ids=['vit', 'conv'])
def test_the_assignment_is_that_of_a_training_step(arch):
    model = pixelclip(arch=arch, momentum=1.0)
    batch = training_batch((5, 0, 7))
    batch['data_samples'][0].masks[1] = False  # dropped in training
    for step in range(2):
        if step:  # the student moves away from its teacher
            for parameter in model.backbone.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
        model.train()
        model(**model.data_preprocessor(batch, True), mode='loss')
        masks, image_index, ids = assign_masks(model.eval(), batch)
        assert mask_tower(model)[1] == 'momentum teacher'
        assert torch.equal(ids, model.decode_head.last_assignment)
        assert image_index.tolist() == [0] * 4 + [2] * 7
        assert torch.equal(masks[4:], batch['data_samples'][2].masks)


def test_without_an_updated_teacher_the_features_are_the_students():
    assert mask_tower(pixelclip(momentum=None))[1] == 'student'
    model = pixelclip()
    assert mask_tower(model) == (model.backbone, 'student')
    model.teacher.update_parameters(model.backbone)
    assert mask_tower(model) == (model.teacher, 'momentum teacher')


def scenes(count=7, meta_keys=KEYS):
    pipeline = [
        dict(type='LoadSyntheticScene', with_masks=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='StrongView', blur_radius=(0.1, 0.5)),
        dict(type='PackMaskInputs', mask_size=(32, 32), meta_keys=meta_keys),
    ]
    settings = dict(type='SyntheticScenesDataset', split='train', num_scenes=count)
    return DATASETS.build(dict(settings, pipeline=pipeline))


def test_labels_of_masks_are_those_of_the_scene():
    dataset = scenes(3)
    for index in range(3):
        sample = dataset[index]['data_samples']
        found = MaskLabels(None).of_masks(sample.masks, sample.metainfo)
        # By hand: the scene's label map, flipped as the sample was, at every second pixel.
        from mmseg_langseg.synthetic.renderer import render_scene

        labels = render_scene('train', index, 64).labels
        flipped = sample.gt_seg_map[0, 0] != 0
        labels = (labels[:, ::-1] if flipped else labels)[::2, ::2]
        for mask, label in zip(sample.masks.numpy(), found, strict=True):
            inside = labels[mask]
            assert (label == -1) == (inside.size == 0)
            if inside.size:
                assert (inside == label).sum() == np.bincount(inside).max()


def test_samples_are_the_same_for_a_seed_and_count_all_masks():
    model = pixelclip(clusters=4).eval()
    model.decode_head.text_encoder.requires_grad_(False)
    first = sample_clusters(model, scenes(), 3, 99, 2, 16, 5, MaskLabels(None))
    again = sample_clusters(model, scenes(), 3, 99, 2, 16, 5, MaskLabels(None))
    assert first.masks.tolist() == again.masks.tolist()
    for one, other in zip(first.crops, again.crops, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert len(one) <= 2
    batch = pseudo_collate([scenes()[index] for index in range(7)])
    kept = sum(int((s.masks.flatten(1).sum(1) > 1).sum()) for s in batch['data_samples'])
    # The cutout of other augmentations may erase a mask more or less.
    assert abs(int(first.masks.sum()) - kept) <= 3
    assert first.labels.sum() == first.masks.sum()
    part = sample_clusters(model, scenes(), 3, 2, 2, 16, 5)
    assert 0 < part.masks.sum() < first.masks.sum() and not part.labels.size


def label_folder(tmp_path, values, size=(6, 8)):
    (tmp_path / 'labels/a').mkdir(parents=True)
    image = np.full(size, 255, np.uint8)
    image[:, : len(values)] = values
    Image.fromarray(image).save(tmp_path / 'labels/a/x.png')
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    labels = MaskLabels(tmp_path / 'labels', str(tmp_path / 'images'), tmp_path / 'classes.txt')
    info = dict(
        img_path=str(tmp_path / 'images/a/x.jpg'),
        ori_shape=size,
        gt_seg_map=np.arange(size[0] * size[1]).reshape(size),
    )
    return labels, info


def test_labels_of_photos_are_read_from_a_folder(tmp_path):
    labels, info = label_folder(tmp_path, [0, 0, 1])
    masks = torch.zeros(4, 6, 8, dtype=torch.bool)
    masks[0, :, :3] = True  # 2 columns of cats, 1 of dogs
    masks[1, :, 2] = True
    masks[2, :, 2:5] = True  # two thirds have no label
    assert labels.of_masks(masks, info).tolist() == [0, 1, -1, -1]
    info['gt_seg_map'] = np.full((6, 8), -1)  # beyond the image
    assert labels.of_masks(masks, info).tolist() == [-1] * 4


def test_bad_labels_are_named(tmp_path):
    labels, info = label_folder(tmp_path, [0, 7])
    masks = torch.ones(1, 6, 8, dtype=torch.bool)
    with pytest.raises(LabelFileError, match=r'x\.png: label 7 has no name'):
        labels.of_masks(masks, info)
    with pytest.raises(LabelFileError, match=r'x\.png: the label map has height x width 6 x 8'):
        labels.of_masks(masks, dict(info, ori_shape=(8, 6)))
    with pytest.raises(LabelFileError, match=r'y\.png: this label map does not exist'):
        labels.of_masks(masks, dict(info, img_path=str(tmp_path / 'images/a/y.jpg')))
    with pytest.raises(FileNotFoundError, match="'gone' of label maps"):
        MaskLabels(tmp_path.__class__('gone'), '', tmp_path / 'classes.txt')
