"""Semantic consistency loss and its class decision against loops; two processes."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.losses import (
    SemanticConsistencyLoss,
    decide_classes,
    semantic_consistency,
    smooth,
)
from tests.distributed import run_processes

DIM = 6
NONE = torch.zeros(0, DIM)


def _data(segments=20, known=3, unknown=4):
    generator = torch.Generator().manual_seed(4)

    def draw(count):
        return torch.randn(count, DIM, generator=generator)

    return draw(segments), draw(segments), draw(known), draw(unknown), draw(2)


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / float(a.norm()) / float(b.norm())


def best(row, prototypes):
    scores = [cosine(row, p) for p in prototypes]
    return scores.index(max(scores))


def reference_decision(u, known, unknown, negatives, threshold, scale=100):
    choice = []
    for row in u:
        weights = [math.exp(scale * cosine(row, p)) for p in torch.cat([known, negatives])]
        top = best(row, known)
        if weights[top] / sum(weights) >= threshold:
            choice.append(top)
        else:
            choice.append(len(known) + best(row, unknown))
    return choice


def test_a_clip_of_small_logit_scale_is_less_confident():
    u, _, known, unknown, negatives = _data()
    known, negatives = u[:1] + 0.2 * known, u[:1] + 0.2 * negatives
    sure = decide_classes(u, known, unknown, negatives, 0.5)
    choice = decide_classes(u, known, unknown, negatives, 0.5, logit_scale=17.0)
    assert choice.tolist() == reference_decision(u, known, unknown, negatives, 0.5, 17)
    assert (choice >= 3).sum() > (sure >= 3).sum()
    module = SemanticConsistencyLoss()
    assert torch.equal(module.decide(u, known, unknown, negatives, logit_scale=17.0), choice)


@pytest.mark.parametrize('threshold', [0.0, 0.5, 0.99])
def test_two_level_decision(threshold):
    u, _, known, unknown, negatives = _data()
    # Text embeddings close to each other, as CLIP's are: only then are decisions uncertain.
    known, negatives = u[:1] + 0.2 * known, u[:1] + 0.2 * negatives
    choice = decide_classes(u, known, unknown, negatives, threshold)
    assert choice.tolist() == reference_decision(u, known, unknown, negatives, threshold)
    assert (choice < 3).any() and (threshold == 0 or (choice >= 3).any())


def test_decision_without_negatives_is_one_with_no_rows_of_them():
    u, _, known, unknown, _ = _data()
    expected = reference_decision(u, known, unknown, NONE, 0.9)
    assert decide_classes(u, known, unknown, None, 0.9).tolist() == expected


def test_scale_gap_does_not_turn_all_segments_into_unknown_ones():
    # Image embeddings share a direction that texts lack: the joint arg-max is always unknown.
    generator = torch.Generator().manual_seed(0)
    common = torch.zeros(DIM)
    common[5] = 5
    known = F.one_hot(torch.arange(3), DIM).float()
    u = common + known[torch.arange(9) % 3]
    unknown = common + 0.1 * torch.randn(4, DIM, generator=generator)
    assert all(best(row, torch.cat([known, unknown])) >= 3 for row in u)
    assert decide_classes(u, known, unknown).tolist() == [0, 1, 2] * 3


def test_no_known_and_no_unknown_prototypes():
    u, _, known, unknown, negatives = _data()
    no_known = decide_classes(u, NONE, unknown, negatives, 0.5)
    assert no_known.tolist() == [best(row, unknown) for row in u]
    no_unknown = decide_classes(u, known, NONE, negatives, 0.5)
    # Segments assigned to no known class are left out.
    claimed = reference_decision(u, known, unknown, negatives, 0.5)
    expected = [-1 if c >= len(known) else c for c in claimed]
    assert -1 in expected
    assert no_unknown.tolist() == expected


def test_no_prototype_at_all_is_an_error():
    u, _, known, unknown, _ = _data(known=0, unknown=0)
    with pytest.raises(ValueError, match='0 known and 0 unknown'):
        decide_classes(u, known, unknown)
    with pytest.raises(ValueError, match='0 known and 0 unknown'):
        semantic_consistency(u, torch.zeros(20).long(), known, unknown)


def test_zero_embeddings_are_left_out():
    u, _, known, unknown, _ = _data()
    u[4] = 0
    loss = SemanticConsistencyLoss()
    choice = loss.decide(u, known, unknown, image_mean=torch.ones(DIM))
    assert (choice == -1).nonzero().tolist() == [[4]]
    assert loss.decide(u[:0], known, unknown, image_mean=torch.ones(DIM)).shape == (0,)


def reference_loss(v, targets, prototypes, scale):
    terms = []
    for s, target in enumerate(targets.tolist()):
        if target >= 0:
            weights = [math.exp(scale * cosine(v[s], p)) for p in prototypes]
            terms.append(-math.log(weights[target] / sum(weights)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize('known, unknown', [(3, 4), (0, 4), (3, 0), (1, 0)])
@pytest.mark.parametrize('scale', [10.0, 50.0])
def test_slow_reference(known, unknown, scale):
    _, v, known, unknown, _ = _data(known=known, unknown=unknown)
    targets = torch.arange(len(v)) % (len(known) + len(unknown))
    targets[5] = -1
    loss = SemanticConsistencyLoss(scale=scale, loss_weight=2.0)(v, targets, known, unknown)
    expected = 2 * reference_loss(v, targets, torch.cat([known, unknown]), scale)
    assert float(loss) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_calibration_subtracts_the_mean_cosine_of_each_name():
    u, _, known, unknown, negatives = _data()
    # The first name is close to every segment.
    common = F.normalize(torch.ones(DIM), dim=0)
    u = F.normalize(u + 2 * common, dim=1)
    known = torch.cat([common[None] + 0.1 * known[:1], known[1:]])
    mean = u.mean(0)
    words = torch.cat([known, negatives])
    expected = []
    for row in u:
        logits = [10 * (cosine(row, w) - float(mean @ w / w.norm())) for w in words]
        weights = [math.exp(logit) for logit in logits]
        top = weights[:3].index(max(weights[:3]))
        sure = weights[top] / sum(weights) >= 0.5
        expected.append(top if sure else 3 + best(row, unknown))
    loss = SemanticConsistencyLoss(calibrate=True)
    found = loss.decide(u, known, unknown, negatives, mean, logit_scale=10.0)
    assert found.tolist() == expected
    plain = SemanticConsistencyLoss().decide(u, known, unknown, negatives, mean, logit_scale=10.0)
    assert (plain == 0).sum() > (found == 0).sum()
    with pytest.raises(ValueError, match='image_mean=None'):
        loss.decide(u, known, unknown)


@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_smoothing_goes_towards_the_nearest_prototype(share):
    u, _, _, prototypes, _ = _data()
    u[3] = 0
    found = smooth(5 * u, 2 * prototypes, share)
    for row, result in zip(u, found, strict=True):
        if not row.any():
            assert not result.any()
            continue
        nearest = F.normalize(prototypes[best(row, prototypes)], dim=0)
        mixed = (1 - share) * F.normalize(row, dim=0) + share * nearest
        torch.testing.assert_close(result, mixed / mixed.norm())
    assert torch.equal(smooth(u, prototypes[:0], share), F.normalize(u, dim=1))


def test_the_decision_is_taken_on_what_is_smoothed():
    u, _, known, unknown, _ = _data()
    loss = SemanticConsistencyLoss(threshold=0.9, smoothing=0.8)
    found = loss.decide(u, known, unknown, logit_scale=10.0)
    plain = decide_classes(u, known, unknown, threshold=0.9, logit_scale=10.0)
    expected = decide_classes(
        smooth(u, unknown, 0.8), known, unknown, threshold=0.9, logit_scale=10.0
    )
    assert torch.equal(found, expected) and not torch.equal(found, plain)
    assert loss.clusters_all and not SemanticConsistencyLoss().clusters_all


@pytest.mark.parametrize('known', [3, 0])
def test_separate_softmaxes(known):
    u, v, known, unknown, _ = _data(known=known)
    u, unknown = F.normalize(u, dim=1), F.normalize(unknown, dim=1)
    targets = torch.arange(len(v)) % (len(known) + len(unknown))
    clusters = torch.arange(len(v)) % len(unknown)
    targets[4] = clusters[4] = -1
    mean = u.mean(0)
    loss = SemanticConsistencyLoss(
        softmax='separate', scale=15.0, unknown_scale=8.0, unknown_weight=0.3, loss_weight=2.0
    )
    found = loss(3 * v, targets, known, unknown, mean, clusters)
    claimed = targets.masked_fill(targets >= len(known), -1)
    among_known = reference_loss(v, claimed, known, 15.0) if len(known) else 0
    rows = F.normalize(v, dim=1) - mean
    among_unknown = reference_loss(rows, clusters, unknown - mean, 8.0)
    assert float(found) == pytest.approx(2 * (among_known + 0.3 * among_unknown), rel=1e-5)
    with pytest.raises(ValueError, match='separate needs image_mean'):
        loss(v, targets, known, unknown)


@pytest.mark.parametrize(
    'settings',
    [
        {'threshold': 2},
        {'scale': 0},
        {'smoothing': -0.1},
        {'softmax': 'both'},
        {'unknown_scale': 0},
    ],
)
def test_bad_settings_name_the_value(settings):
    with pytest.raises(ValueError, match=f'{next(iter(settings))}='):
        SemanticConsistencyLoss(**settings)


def test_gradient_goes_to_our_side_only():
    u, v, known, unknown, _ = (x.requires_grad_() for x in _data())
    targets = decide_classes(u, known, unknown)
    assert not targets.requires_grad
    semantic_consistency(v, targets, known, unknown).backward()
    assert known.grad is None and unknown.grad is None
    assert v.grad.any(1).all() and torch.isfinite(v.grad).all()


@pytest.mark.parametrize('segments', [0, 4])
def test_no_target_gives_zero_and_zero_gradients(segments):
    v = torch.randn(segments, DIM, requires_grad=True)
    loss = semantic_consistency(v, torch.full((segments,), -1), NONE, torch.randn(3, DIM))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(v.grad, torch.zeros_like(v))


def test_half_precision_is_scored_in_float32():
    u, v, known, unknown, _ = (x.half() for x in _data())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        targets = decide_classes(u, known, unknown)
        loss = semantic_consistency(v, targets, known, unknown, scale=100.0)
    assert targets.tolist() == reference_decision(
        u.float(), known.float(), unknown.float(), NONE, 0.5
    )
    prototypes = torch.cat([known, unknown]).float()
    assert loss.dtype == torch.float32
    expected = reference_loss(v.float(), targets, prototypes, 100.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def _targets():
    targets = torch.arange(20) % 7
    targets[[1, 8, 9]] = -1
    return targets


def _shard(rank):
    _, v, known, unknown, _ = _data()
    part = slice(0, 5) if rank == 0 else slice(5, 20)
    v = v[part].requires_grad_()
    loss = semantic_consistency(v, _targets()[part], known, unknown)
    loss.backward()
    return loss.detach(), v.grad


def test_two_processes_equal_one():
    _, v, known, unknown, _ = _data()
    v.requires_grad_()
    loss = semantic_consistency(v, _targets(), known, unknown)
    loss.backward()
    (loss0, grad0), (loss1, grad1) = run_processes(_shard, 2)
    torch.testing.assert_close(loss0, loss.detach())
    torch.testing.assert_close(loss1, loss.detach())
    torch.testing.assert_close(torch.cat([grad0, grad1]) / 2, v.grad)
