"""Evidence, scores of masks and mean features of a model on photos."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.formats import decode_rle
from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.verdict import Photo, judge, mean_feature, measure
from mmseg_langseg.verdict.mask_crops import embed_crops
from tests.tiny import pixelclip_config

WORDS = Vocabulary.from_names(['cat', 'dog', 'grass'], background=['sky', 'sea'])


@pytest.fixture(scope='module')
def segment():
    torch.manual_seed(0)
    inferencer = LangSegInferencer(Config(dict(model=pixelclip_config())), device='cpu')
    inferencer.model.set_vocabulary(WORDS)
    return inferencer


@pytest.fixture(scope='module')
def photos():
    rng = np.random.default_rng(0)
    found = []
    for name, count in (('a', 3), ('b', 0), ('c', 4)):
        rgb = rng.integers(0, 256, (20 + count, 30, 3), dtype=np.uint8)
        masks = rng.random((count, *rgb.shape[:2])) > 0.5
        rles = encode_masks(masks) if count else []
        found.append(Photo(name, lambda rgb=rgb: rgb, rles))
    return found


def test_evidence_counts_the_labels_of_the_inferencer(segment, photos):
    found = measure(segment.model, segment.prepare, photos)
    assert found.photo.tolist() == [0, 0, 0, 2, 2, 2, 2] and found.counts.shape == (7, 4)
    for index, photo in enumerate(photos):
        labels = segment(photo.load(), WORDS).labels
        regions = masks_to_regions(photo.masks, *labels.shape)
        for number, counts in enumerate(found.counts[found.photo == index], 1):
            own = labels[regions == number]
            assert counts.tolist() == [(own == k).sum() for k in range(4)]


def test_scores_are_centered_cosines_of_crops_and_dense_features(segment, photos):
    model, head = segment.model, segment.model.decode_head
    found = judge(model, segment.prepare, photos).scores
    rest = found.copy()
    for cut_out in (True, False):
        crops = [embed_crops(model, p.load(), p.masks, cut_out) for p in photos if p.masks]
        cosines = F.normalize(torch.cat(crops), dim=1) @ head.text_rows.T
        best = torch.stack([cosines[:, head.row_class == k].amax(1) for k in range(4)], 1)
        rest -= (best - best.mean(0)).numpy()
    dense = []
    for photo in filter(lambda photo: photo.masks, photos):
        bgr = torch.from_numpy(photo.load()[..., ::-1].copy()).permute(2, 0, 1)
        inputs = model.data_preprocessor(dict(inputs=[bgr]), False)['inputs']
        with torch.no_grad():
            features = model.extract_feat(inputs)[-1]
        pixels = F.interpolate(features, bgr.shape[1:], mode='bilinear')[0]
        for rle in photo.masks:
            dense.append(pixels[:, torch.from_numpy(decode_rle(rle))].mean(1))
    cosines = F.normalize(torch.stack(dense), dim=1) @ head.text_rows.T
    best = torch.stack([cosines[:, head.row_class == k].amax(1) for k in range(4)], 1)
    expected = (0.5 * (best - best.mean(0))).numpy()
    np.testing.assert_allclose(rest, expected, atol=1e-5)


def test_photos_without_masks_have_no_rows(segment, photos):
    nothing = judge(segment.model, segment.prepare, photos[1:2])
    assert nothing.scores.shape == (0, 4) and not nothing.informed
    assert measure(segment.model, segment.prepare, photos[1:2]).counts.shape == (0, 4)


def test_mean_feature_is_the_mean_of_unit_features(segment, photos):
    model = segment.model
    rows = []
    for photo in photos:
        bgr = torch.from_numpy(photo.load()[..., ::-1].copy()).permute(2, 0, 1)
        inputs = model.data_preprocessor(dict(inputs=[bgr]), False)['inputs']
        with torch.no_grad():
            features = F.interpolate(model.extract_feat(inputs)[-1], (8, 8), mode='bilinear')
        rows.append(F.normalize(features, dim=1).mean((0, 2, 3)))
    expected = torch.stack(rows).mean(0).numpy()
    np.testing.assert_allclose(
        mean_feature(model, segment.prepare, photos), expected, rtol=1e-4, atol=1e-6
    )
