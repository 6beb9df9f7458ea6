"""Mask classification against loops over masks of fully upsampled features, in float64."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample

from mmseg_langseg.masks.formats import decode_rle, encode_masks
from mmseg_langseg.models.segmentors import PixelFeatures, mask_classification, window_boxes
from mmseg_langseg.models.segmentors.compute_logits import dense_windows, resizes_in_one_step
from mmseg_langseg.models.segmentors.mask_classification import pool_rles
from mmseg_langseg.models.segmentors.pixel_logits import padding_of
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.tiny import clips4, pixelclip

WORDS = Vocabulary.from_names(
    ['background', 'cat', 'dog', 'tree'], background=['sky', 'sea', 'sand']
)
FREE = dict(type='CLIPDataPreProcessor')
SLIDE = dict(mode='slide', crop_size=(32, 40), stride=(24, 16))
MODES = dict(
    square={},  # both images are resized to 32x32
    square_flipped=dict(flip='horizontal'),
    padded=dict(data_preprocessor=FREE),
    two_steps=dict(test_cfg=dict(mode='whole', resize_directly=False)),
    slide=dict(data_preprocessor=FREE, test_cfg=SLIDE),
    slide_flipped=dict(data_preprocessor=FREE, test_cfg=SLIDE, flip='horizontal'),
    padded_flipped=dict(data_preprocessor=FREE, flip='vertical'),
)
# Original and resized (height, width) of the images of a batch.
SIZES = [((50, 70), (40, 56)), ((64, 45), (56, 40))]


@torch.no_grad()
def build(mode, **changes):
    options = copy.deepcopy(MODES[mode])
    flip = options.pop('flip', None)
    options.setdefault('test_cfg', dict(mode='whole'))
    options['test_cfg'].update(classify_masks=True, **changes)
    model = pixelclip(**options).eval()
    model.set_vocabulary(WORDS)
    # Without the mean logits, so that every class wins somewhere.
    data = model.data_preprocessor(batch(flip), False)
    model.decode_head.set_logit_offset(
        model.decode_head(model.extract_feat(data['inputs'])).mean((0, 2, 3))
    )
    return model, flip


def random_masks(size, seed):
    """Return overlapping boxes and blobs; some pixels are in none."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((9, *size), bool)
    for mask in masks[:7]:
        (top, left), (height, width) = rng.integers(0, 35, 2), rng.integers(3, 25, 2)
        mask[top : top + height, left : left + width] = True
    masks[7] = rng.random(size) > 0.95
    return masks  # the last is empty


def batch(flip=None):
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for number, (original, size) in enumerate(SIZES):
        inputs.append(torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8))
        sample = SegDataSample()
        sample.set_metainfo(
            dict(
                ori_shape=original,
                img_shape=size,
                flip=flip is not None,
                flip_direction=flip,
                mask_rles=encode_masks(random_masks(original, number)),
            )
        )
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def resized(maps, size):
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=False)[0]


def slow_features(model, inputs, meta):
    """Upsample the features of an image to its own size, window by window, in float64."""
    canvas = tuple(inputs.shape[1:])
    slide = model.test_cfg.get('mode') == 'slide'
    boxes = [(0, 0, *canvas)]
    if slide:
        boxes = window_boxes(canvas, model.test_cfg['crop_size'], model.test_cfg['stride'])
    left, right, top, bottom = padding_of(meta)
    total, count = 0, torch.zeros(canvas, dtype=torch.float64)
    for y1, x1, y2, x2 in boxes:
        grid = model.extract_feat(inputs[None, :, y1:y2, x1:x2])[-1][0].double()
        if model.resizes_directly and not slide and not any((left, right, top, bottom)):
            grid = grid.flip(2) if meta.get('flip_direction') == 'horizontal' else grid
            grid = grid.flip(1) if meta.get('flip_direction') == 'vertical' else grid
            return resized(grid, meta['ori_shape'])
        part = torch.zeros(len(grid), *canvas, dtype=torch.float64)
        part[:, y1:y2, x1:x2] = resized(grid, (y2 - y1, x2 - x1))
        total = total + part
        count[y1:y2, x1:x2] += 1
    maps = (total / count)[:, top : canvas[0] - bottom, left : canvas[1] - right]
    maps = maps.flip(2) if meta.get('flip_direction') == 'horizontal' else maps
    maps = maps.flip(1) if meta.get('flip_direction') == 'vertical' else maps
    return resized(maps, meta['ori_shape'])


def slow_class(model, embedding, threshold):
    head = model.decode_head
    scores = [
        float(F.cosine_similarity(embedding, row.double(), dim=0) - head.logit_offset[index])
        for row, index in zip(head.text_rows, head.row_class, strict=True)
    ]
    best = int(np.argmax(scores))
    odds = np.exp(model.logit_scale * np.array(scores))
    if threshold is not None and odds[best] / odds.sum() < threshold:
        return 0
    return int(head.row_class[best])


def slow_labels(masks, classes):
    """Paint each pixel with the class of the smallest mask, of two the later one."""
    labels = np.full(masks.shape[1:], 255)
    for row, column in np.ndindex(labels.shape):
        inside = [i for i in range(len(masks)) if masks[i, row, column]]
        if inside:
            labels[row, column] = classes[min(inside, key=lambda i: (masks[i].sum(), -i))]
    return labels


@pytest.mark.parametrize('mode', MODES)
@torch.no_grad()
def test_equals_loops_over_masks(mode, monkeypatch):
    monkeypatch.setattr(mask_classification, '_CHUNK_PIXELS', 2 * 50 * 70)
    model, flip = build(mode)
    data = model.data_preprocessor(batch(flip), False)
    inputs, samples = data['inputs'], data['data_samples']
    expected = []
    for image, sample, windows in zip(inputs, samples, dense_windows(model, inputs), strict=True):
        meta = sample.metainfo
        features = slow_features(model, image, meta)
        masks = np.stack([decode_rle(rle) for rle in meta['mask_rles']])
        pooled = [features[:, torch.from_numpy(mask)].mean(1) for mask in masks[:-1]]
        pooled = torch.stack([*pooled, torch.zeros_like(pooled[0])])
        direct = resizes_in_one_step(model, meta)
        fast = PixelFeatures.of(windows, meta, tuple(inputs.shape[2:]), direct, False)
        torch.testing.assert_close(
            pool_rles(fast, meta['mask_rles']).double(), pooled, rtol=1e-4, atol=1e-4
        )
        classes = [slow_class(model, one, None) for one in pooled]
        expected.append((classes, slow_labels(masks, classes)))
    for sample, (classes, labels) in zip(model.predict(inputs, samples), expected, strict=True):
        assert sample.pred_mask_classes.tolist() == classes
        assert np.array_equal(sample.pred_sem_seg.data[0].numpy(), labels)
        assert (labels == 255).any()
    assert len({one for classes, _ in expected for one in classes}) > 1


@torch.no_grad()
def test_uncertain_masks_are_background():
    model, _ = build('square', threshold=0.5)
    data = model.data_preprocessor(batch(), False)
    (sample, _) = model.predict(data['inputs'], data['data_samples'])
    features = slow_features(model, data['inputs'][0], sample.metainfo)
    masks = [torch.from_numpy(decode_rle(rle)) for rle in sample.mask_rles[:-1]]
    expected = [slow_class(model, features[:, mask].mean(1), 0.5) for mask in masks]
    assert sample.pred_mask_classes[:-1].tolist() == expected
    sure = [slow_class(model, features[:, mask].mean(1), None) for mask in masks]
    assert expected != sure


@torch.no_grad()
def test_other_segmentors_and_images_without_masks():
    model = clips4(test_cfg=dict(mode='whole', classify_masks=True)).eval()
    model.set_vocabulary(WORDS)
    data = batch()
    data['data_samples'][0].set_metainfo(dict(mask_rles=[]))
    data = model.data_preprocessor(data, False)
    none, some = model.predict(data['inputs'], data['data_samples'])
    assert len(none.pred_mask_classes) == 0 and (none.pred_sem_seg.data == 255).all()
    assert len(some.pred_mask_classes) == 9


@torch.no_grad()
def test_only_the_tower_runs_in_mixed_precision(monkeypatch):
    model, _ = build('padded')
    data = model.data_preprocessor(batch(), False)
    windows = dense_windows(model, data['inputs'])
    monkeypatch.setattr(mask_classification, 'dense_windows', lambda *_: windows)
    seen, scores = [], model.decode_head.embedding_scores
    monkeypatch.setattr(
        model.decode_head, 'embedding_scores', lambda x: seen.append(scores(x)) or seen[-1]
    )
    model.predict(**data)
    with torch.autocast('cpu', torch.bfloat16):
        model.predict(**data)
    assert len(seen) == 4
    for exact, mixed in zip(seen[:2], seen[2:], strict=True):
        torch.testing.assert_close(exact, mixed, rtol=0, atol=0)


def test_missing_masks_are_named():
    model, _ = build('square')
    with pytest.raises(ValueError, match='LoadMaskProposals before PackSegInputs'):
        model.predict(torch.zeros(1, 3, 32, 32))
