"""Accuracy of classified masks against loops over masks and pixels."""

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS

CLASSES = ('a', 'b', 'c', 'd')


def sample(true, predicted, labels, painted):
    return dict(
        mask_classes=true,
        pred_mask_classes=torch.tensor(predicted, dtype=torch.long),
        gt_sem_seg=dict(data=torch.tensor(labels)[None]),
        pred_sem_seg=dict(data=torch.tensor(painted)[None]),
    )


def build(**options):
    metric = METRICS.build(dict(type='MaskClassificationMetric', **options))
    metric.dataset_meta = dict(classes=CLASSES)
    return metric


def random_samples(seed, count=5, ignored=255):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        number = int(rng.integers(0, 8))
        samples.append(
            sample(
                rng.choice([0, 1, 2, ignored], number).tolist(),
                rng.choice(4, number).tolist(),
                rng.choice([0, 1, 2, ignored], (6, 5)).tolist(),
                rng.choice([0, 1, 2, 3, ignored], (6, 5)).tolist(),
            )
        )
    return samples


def slow_metrics(samples, ignored):
    hits = {}
    covered = labeled = 0
    for one in samples:
        for true, found in zip(one['mask_classes'], one['pred_mask_classes'].tolist(), strict=True):
            if true != ignored:
                hits.setdefault(true, []).append(true == found)
        labels, painted = (one[key]['data'][0].numpy() for key in ('gt_sem_seg', 'pred_sem_seg'))
        for row, column in np.ndindex(labels.shape):
            if labels[row, column] != ignored:
                labeled += 1
                covered += painted[row, column] != ignored
    every = [hit for one in hits.values() for hit in one]
    return dict(
        mask_accuracy=100 * np.mean(every),
        mask_class_accuracy=100 * np.mean([np.mean(one) for one in hits.values()]),
        coverage=100 * covered / labeled,
        num_masks=len(every),
    )


@pytest.mark.parametrize('ignored', [255, 65535])
def test_equals_loops(ignored):
    metric, samples = build(ignore_index=ignored), random_samples(0, ignored=ignored)
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])
    found = metric.evaluate(len(samples))
    assert found == pytest.approx(slow_metrics(samples, ignored), abs=0.005)
    assert 0 < found['mask_accuracy'] < 100 and found['num_masks'] > 10


def test_images_without_labels_and_other_models():
    metric = build()
    metric.process({}, [sample([255], [1], [[255, 255]], [[1, 1]])])
    found = metric.evaluate(1)
    assert np.isnan(found['mask_accuracy']) and found['num_masks'] == 0
    other = sample([1], [1], [[1]], [[1]])
    del other['pred_mask_classes']
    with pytest.raises(ValueError, match=r'test_cfg\.classify_masks=True'):
        metric.process({}, [other])
