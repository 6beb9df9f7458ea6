import copy
import sys

import numpy as np
import pytest
import torch

from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.generators import build_generator, sam_generator
from tests.test_masks.tiny_sam import LOOSE, alone, build_tiny_sam, check_close


@pytest.fixture
def encoded(tiny_sam):
    """Batch sizes that the image encoder receives."""
    sizes = []
    hook = tiny_sam.image_encoder.register_forward_pre_hook(
        lambda module, inputs: sizes.append(len(inputs[0]))
    )
    yield sizes
    hook.remove()


@pytest.mark.parametrize('images_per_batch', [1, 2, 5])
def test_masks_of_a_batch_are_those_of_each_image_alone(
    tiny_sam, photos, encoded, images_per_batch
):
    generator = build_generator(
        'sam', model=tiny_sam, images_per_batch=images_per_batch, points_per_batch=4, **LOOSE
    )
    assert generator.batch_size == images_per_batch and not generator.settings['amp']
    made = []
    for first in range(0, len(photos), images_per_batch):
        made += generator.masks_of_batch(photos[first : first + images_per_batch])
    assert encoded == [images_per_batch] * -(-len(photos) // images_per_batch)
    for annotations, photo in zip(made, photos, strict=True):
        check_close(annotations, alone(tiny_sam, photo, points_per_batch=4))


def test_masks_do_not_depend_on_the_other_images_of_the_batch(tiny_sam, photos):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=3, **LOOSE)
    together = generator.masks_of_batch(photos[:3])
    assert generator.masks_of_batch(photos[2::-1]) == together[::-1]
    assert [generator.masks(photo) for photo in photos[:3]] == together


def test_regions_of_a_batch(tiny_sam, photos):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=2, **LOOSE)
    for regions, photo in zip(generator.regions_of_batch(photos[:2]), photos, strict=False):
        rles = [annotation['segmentation'] for annotation in alone(tiny_sam, photo)]
        assert np.array_equal(regions, masks_to_regions(rles, *photo.shape[:2]))
        assert np.array_equal(generator.regions(photo), regions)


def test_crops_are_encoded_one_by_one(tiny_sam, photos, encoded, monkeypatch):
    messages = []
    monkeypatch.setattr(
        sam_generator, 'print_log', lambda message, **kwargs: messages.append(message)
    )
    options = dict(crop_n_layers=1, min_mask_region_area=4)
    generator = build_generator('sam', model=tiny_sam, images_per_batch=4, **options, **LOOSE)
    assert len(messages) == 1
    assert 'images_per_batch=4 has no effect with crop_n_layers=1' in messages[0]
    assert generator.batch_size == generator.settings['images_per_batch'] == 1
    check_close(generator.masks(photos[2]), alone(tiny_sam, photos[2], **options))
    assert set(encoded) == {1}


@pytest.mark.parametrize('at_once', [1, 2**28])
@pytest.mark.parametrize('crops', [0, 1])
def test_dropped_masks_are_not_upsampled(tiny_sam, photos, monkeypatch, at_once, crops):
    monkeypatch.setattr(
        'mmseg_langseg.masks.generators.early_filter_mask_generator._PIXELS', at_once
    )
    scores = [one['predicted_iou'] for one in alone(tiny_sam, photos[0], box_nms_thresh=1.0)]
    sam = copy.deepcopy(tiny_sam)
    # A random model's scores may be negative, and SAM does not filter by negative thresholds.
    sam.mask_decoder.iou_prediction_head.layers[-1].bias.data += 1 - min(scores)
    threshold = 1 - min(scores) + float(np.median(scores))
    options = dict(pred_iou_thresh=threshold, crop_n_layers=crops)
    upsampled, real = [], sam.postprocess_masks

    def upsample(masks, *args):
        upsampled.append(masks.shape[0] * masks.shape[1])
        return real(masks, *args)

    sam.postprocess_masks = upsample
    generator = build_generator('sam', model=sam, **{**LOOSE, **options})
    annotations = generator.masks(photos[0])
    ours = upsampled.copy()
    check_close(annotations, alone(sam, photos[0], **options))
    theirs = upsampled[len(ours) :]
    assert 0 < sum(ours) < 0.8 * sum(theirs)
    assert (max(ours) == 1) == (at_once == 1)


def test_the_predictor_returns_held_masks_once(tiny_sam):
    predictor = build_generator('sam', model=tiny_sam, **LOOSE).generator.predictor
    predictor.set_image(np.zeros((20, 30, 3), np.uint8))
    predictor.hold(torch.zeros(2, 16, 16), torch.ones(2))
    assert predictor.predict_torch()[0].shape == (2, 1, 20, 30)
    with pytest.raises(RuntimeError, match=r'no masks are held; call hold\(\)'):
        predictor.predict_torch()


def test_custom_point_grids(tiny_sam, photos):
    grid = [[0.25, 0.5], [0.75, 0.5]]
    options = {key: value for key, value in LOOSE.items() if key != 'points_per_side'}
    generator = build_generator('sam', model=tiny_sam, point_grids=[grid], **options)
    annotations = generator.masks(photos[0])
    height, width = photos[0].shape[:2]
    points = {tuple(annotation['point_coords'][0]) for annotation in annotations}
    assert points == {(x * width, y * height) for x, y in grid}
    assert generator.settings['point_grids'] == [grid]
    assert generator.settings['points_per_side'] is None
    for wrong in ([grid, grid], [[[0.5, 2.0]]], [[0.5]], 'center'):
        with pytest.raises(ValueError, match=r'point_grids=.*: expected 1 lists'):
            build_generator('sam', model=tiny_sam, point_grids=wrong)


def test_mixed_precision(tiny_sam, photos):
    dtypes = []
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
        for part in (tiny_sam.image_encoder.patch_embed, tiny_sam.mask_decoder.output_upscaling)
    ]
    generator = build_generator('sam', model=tiny_sam, amp=True, **LOOSE)
    annotations = generator.masks(photos[0])
    for hook in hooks:
        hook.remove()
    assert set(dtypes) == {torch.bfloat16} and len(dtypes) == 2
    assert generator.settings['amp']
    # The best mask of all is never removed as a duplicate.
    best, expected = annotations[0], alone(tiny_sam, photos[0])[0]
    assert best['predicted_iou'] == pytest.approx(expected['predicted_iou'], abs=0.05)


@pytest.mark.parametrize('crops', [0, 1])
def test_sam_that_finds_nothing(tiny_sam, crops):
    options = {**LOOSE, 'pred_iou_thresh': 9.0, 'crop_n_layers': crops}
    generator = build_generator('sam', model=tiny_sam, **options)
    image = np.zeros((20, 30, 3), np.uint8)
    assert generator.masks(image) == [] and not generator.regions(image).any()


def test_a_checkpoint_of_a_named_model(tiny_sam, photos, tmp_path, monkeypatch):
    from segment_anything import sam_model_registry

    monkeypatch.setitem(sam_model_registry, 'vit_tiny', build_tiny_sam)
    path = tmp_path / 'sam_tiny.pth'
    torch.save(tiny_sam.state_dict(), path)
    generator = build_generator('sam', model='vit_tiny', checkpoint=str(path), **LOOSE)
    check_close(generator.masks(photos[0]), alone(tiny_sam, photos[0]))
    size = path.stat().st_size
    assert generator.settings['model'] == f'vit_tiny, sam_tiny.pth, {size} bytes'
    torch.save(dict(list(tiny_sam.state_dict().items())[:-1]), path)
    with pytest.raises(RuntimeError, match=r"sam_tiny\.pth' does not fit SAM vit_tiny: Error"):
        build_generator('sam', model='vit_tiny', checkpoint=str(path))
    path.write_bytes(b'<html>not found</html>')
    with pytest.raises(
        ValueError, match=r"sam_tiny\.pth' is not a checkpoint: it begins with b'<html"
    ):
        build_generator('sam', model='vit_tiny', checkpoint=str(path))


def test_bad_arguments_are_named(tiny_sam, tmp_path):
    with pytest.raises(ValueError, match=r"unknown options \['points'\]"):
        build_generator('sam', model=tiny_sam, points=3)
    with pytest.raises(ValueError, match='images_per_batch=0: expected an integer of at least 1'):
        build_generator('sam', model=tiny_sam, images_per_batch=0)
    with pytest.raises(ValueError, match="no model 'vit_x'; available: vit_h"):
        build_generator('sam', model='vit_x')
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*gone\.pth'"):
        build_generator('sam', checkpoint=str(tmp_path / 'gone.pth'))


@pytest.mark.parametrize(
    'name, value',
    [
        ('points_per_side', 0),
        ('points_per_side', '32'),
        ('points_per_batch', 0),
        ('pred_iou_thresh', 'high'),
        ('stability_score_thresh', 1.5),
        ('stability_score_offset', -1),
        ('box_nms_thresh', -0.5),
        ('crop_n_layers', -1),
        ('crop_n_layers', 100),
        ('crop_nms_thresh', 2),
        ('crop_overlap_ratio', 7),
        ('crop_n_points_downscale_factor', 0),
        ('min_mask_region_area', -1),
        ('images_per_batch', 1.5),
        ('amp', 'yes'),
    ],
)
def test_options_are_checked_before_the_first_image(tiny_sam, name, value):
    with pytest.raises(ValueError, match=f'^{name}={value!r}: expected'):
        build_generator('sam', model=tiny_sam, **{name: value})


def test_sam_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'segment_anything', None)
    with pytest.raises(ImportError, match=r"pip install 'mmseg_langseg\[sam\]'"):
        build_generator('sam')
