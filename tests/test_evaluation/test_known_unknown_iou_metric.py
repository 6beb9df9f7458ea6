import math

import pytest
import torch
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from mmseg_langseg.evaluation import KnownUnknownIoUMetric

CLASSES = ('bed ', 'cat', 'moon')
# Rows are labels, columns predictions; IoU by hand: bed 6/10, cat 2/7, moon 3/6.
CONFUSION = ((6, 2, 0), (1, 2, 1), (1, 1, 3))
BED, CAT, MOON = 60.0, 100 * 2 / 7, 50.0


def pixels(confusion=CONFUSION):
    """Return labels and predictions of two images with this confusion matrix and ignored pixels."""
    pairs = [(r, c) for r, row in enumerate(confusion) for c, n in enumerate(row) for _ in range(n)]
    pairs += [(255, 0)] * (3 + len(pairs) % 2)
    maps = torch.tensor(pairs, dtype=torch.long).T
    return [part[:, None] for part in (maps[:, :7], maps[:, 7:])]


def evaluate(
    unknown, confusion=CONFUSION, classes=CLASSES, kind='KnownUnknownIoUMetric', **options
):
    groups = {} if kind == 'IoUMetric' else dict(unknown=unknown)
    metric = METRICS.build(dict(type=kind, **groups, **options))
    metric.dataset_meta = dict(classes=classes)
    images = pixels(confusion)
    for label, prediction in images:
        sample = dict(pred_sem_seg=dict(data=prediction), gt_sem_seg=dict(data=label), img_path='a')
        metric.process({}, [sample])
    return metric.evaluate(size=len(images))


def test_a_matrix_by_hand():
    figures = evaluate(['moon'])
    known = (BED + CAT) / 2
    assert figures['mIoU'] == pytest.approx((BED + CAT + MOON) / 3, abs=0.005)
    assert figures['mIoU_known'] == pytest.approx(known, abs=0.005)
    assert figures['mIoU_unknown'] == MOON
    assert figures['hIoU'] == pytest.approx(2 * known * MOON / (known + MOON), abs=0.005)
    assert figures['aAcc'] == pytest.approx(100 * 11 / 17, abs=0.005)


def test_all_else_is_what_ioumetric_gives():
    options = dict(iou_metrics=['mIoU', 'mDice', 'mFscore'], beta=2, prefix='test')
    plain = evaluate([], kind='IoUMetric', **options)
    assert {k: v for k, v in evaluate(['cat'], **options).items() if k in plain} == plain
    assert 'test/hIoU' in evaluate(['cat'], **options)
    assert evaluate(['cat'], iou_metrics='mDice')['mIoU'] == evaluate(['cat'])['mIoU']


def test_classes_that_do_not_occur():
    confusion = ((4, 0, 0), (0, 0, 0), (4, 0, 4))
    figures = evaluate(['cat', 'moon'], confusion)
    assert (figures['mIoU_known'], figures['mIoU_unknown']) == (50.0, 50.0)
    filled = evaluate(['cat', 'moon'], confusion, nan_to_num=0)
    assert filled['mIoU'] == pytest.approx(100 / 3, abs=0.005)
    assert filled['mIoU_unknown'] == 25.0
    alone = evaluate(['cat'], confusion)
    assert math.isnan(alone['mIoU_unknown']) and math.isnan(alone['hIoU'])
    assert alone['mIoU_known'] == 50.0


def test_nothing_right_is_zero():
    assert evaluate(['moon'], ((0, 2, 0), (2, 0, 2), (0, 2, 0)))['hIoU'] == 0


def test_a_group_without_a_class_has_no_figures():
    every = evaluate([])
    assert every['mIoU_known'] == every['mIoU']
    assert not {'mIoU_unknown', 'hIoU'} & set(every)
    none = evaluate(['moon', 'cat', 'bed'])
    assert none['mIoU_unknown'] == none['mIoU']
    assert not {'mIoU_known', 'hIoU'} & set(none)


@pytest.mark.parametrize(
    ('unknown', 'known', 'message'),
    [
        (['moom'], None, r"'moom' is not a class.*\['moon'\]"),
        (['x'], None, r"'x' is not.*\['bed', 'cat', 'moon'\]"),
        (['moon', 'moon'], None, r"\['moon'\] are given twice"),
        (['moon'], ['moon', 'cat', 'bed'], r"\['moon'\] are given twice"),
        (['moon'], ['cat'], r"\['bed'\] are neither"),
    ],
)
def test_wrong_names_end_before_the_first_image(unknown, known, message):
    metric = KnownUnknownIoUMetric(unknown=unknown, known=known)
    with pytest.raises(ValueError, match=message):
        metric.dataset_meta = dict(classes=CLASSES)


def test_both_lists_may_be_given():
    metric = KnownUnknownIoUMetric(unknown=['moon'], known=['bed', 'cat'])
    metric.dataset_meta = dict(classes=CLASSES)
    assert metric.dataset_meta == dict(classes=CLASSES)


def test_one_string_is_no_list():
    with pytest.raises(ValueError, match="unknown='moon' is one string"):
        KnownUnknownIoUMetric(unknown='moon')


def test_format_only_writes_and_computes_nothing(tmp_path):
    metric = KnownUnknownIoUMetric(unknown=['moon'], format_only=True, output_dir=str(tmp_path))
    assert isinstance(metric, IoUMetric)
    metric.dataset_meta = dict(classes=CLASSES)
    sample = dict(pred_sem_seg=dict(data=torch.zeros(4, 4, dtype=torch.long)), img_path='a.jpg')
    metric.process({}, [sample])
    assert not metric.compute_metrics(metric.results)
    assert (tmp_path / 'a.png').is_file()
