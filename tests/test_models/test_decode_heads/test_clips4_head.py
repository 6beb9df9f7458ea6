"""CLIP-S⁴ training head against loops over pixels and segments."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from tests.test_models.test_decode_heads.clips4_heads import (
    DIM,
    KNOWN,
    LOSSES,
    batch,
    clips4_head,
    mean_direction,
    members_of,
)
from tests.tiny import VIT


def slow_contrast(embeddings, members, ours, label, kappa=16.0):
    terms = []
    for own, places in enumerate(members):
        positives = [s for s in range(len(members)) if label[s] == label[own] and s != own]
        counted = [s for s in range(len(members)) if s != own or not positives]
        for n, y, x in places:
            pixel = F.normalize(embeddings[n, :, y, x], dim=0)
            weight = [torch.exp(kappa * pixel @ segment) for segment in ours]
            above = sum(weight[s] for s in positives or [own])
            terms.append(-torch.log(above / sum(weight[s] for s in counted)))
    return sum(terms) / len(terms)


def slow_decision(row, known, negatives, unknown, threshold, scale):
    weights = [math.exp(scale * float(row @ text)) for text in [*known, *negatives]]
    best = max(range(len(known)), key=lambda k: weights[k])
    if weights[best] / sum(weights) >= threshold:
        return best
    return len(known) + max(range(len(unknown)), key=lambda k: float(row @ unknown[k]))


@pytest.mark.parametrize('grid', [(1, 1), (2, 2)])
@pytest.mark.parametrize('negatives', [(), ('thing', 'stuff')])
def test_losses_are_put_together_from_their_definitions(grid, negatives):
    head = clips4_head(grid=grid, negatives=negatives)
    embeddings, clip, regions, image_index = batch()
    head.text_encoder.logit_scale = scale = 10.0 if negatives else 4.0
    words = [f'A photo of a {name} in the scene' for name in (*KNOWN, *negatives)]
    texts = head.text_encoder.encode_texts(words)

    members = members_of(embeddings.detach(), regions, grid)
    ours = [mean_direction(embeddings, places) for places in members]
    theirs = torch.stack([mean_direction(clip, places) for places in members])
    label = [(int(image_index[p[0][0]]), int(regions[p[0]])) for p in members]
    targets = [
        slow_decision(row, texts[:3], texts[3:], head.clusterer.prototypes, 0.4, scale)
        for row in theirs
    ]
    assert {target >= 3 for target in targets} == {True, False}  # both kinds occur
    expected = dict(
        loss_contrast=0.5 * slow_contrast(embeddings, members, ours, label),
        loss_embedding=2 * sum(1 - v @ u for v, u in zip(ours, theirs, strict=True)) / len(ours),
        loss_semantic=head.loss_semantic(
            torch.stack(ours),
            torch.tensor(targets),
            texts[:3],
            head.clusterer.prototypes,
            theirs.mean(0),
        ),
    )
    (expected_grad,) = torch.autograd.grad(sum(expected.values()), embeddings)

    found = head.loss(embeddings, clip, regions, image_index)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    (grad,) = torch.autograd.grad(sum(found[name] for name in LOSSES), embeddings)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-3, atol=1e-5)

    unknown = torch.tensor(targets) >= 3
    assert float(found['segments']) == len(members) / 4
    assert float(found['unknown_share']) == pytest.approx(float(unknown.float().mean()))
    assert head.last_assignment.tolist() == [target - 3 for target in targets if target >= 3]
    torch.testing.assert_close(head.last_features, theirs[unknown])
    pixels = F.normalize(clip, dim=1).permute(0, 2, 3, 1)[regions >= 0]
    torch.testing.assert_close(head.image_mean.value, pixels[pixels.any(1)].mean(0))


def crafted():
    """One view of four one-pixel regions: confident or not in turn; known classes are axes."""
    axes = torch.eye(DIM)
    clip = torch.stack([axes[0], axes[0] + axes[1], axes[2], axes[5] + 0.1 * axes[0]])
    generator = torch.Generator().manual_seed(3)
    embeddings = torch.randn(1, DIM, 1, 4, generator=generator, requires_grad=True)
    return embeddings, clip.T[None, :, None], torch.arange(4).view(1, 1, 4), torch.zeros(1).long()


def crafted_head(**changes):
    head = clips4_head(**changes)
    head.known_rows = torch.eye(DIM)[:3].clone()
    head.text_encoder.logit_scale = 5.0
    if head.clusterer is not None:
        head.clusterer.prototypes.copy_(torch.eye(DIM)[4:8])
        head.clusterer.prototypes[0] = F.normalize(torch.eye(DIM)[:2].sum(0), dim=0)
    return head


THRESHOLD = dict(type='SemanticConsistencyLoss', threshold=0.6)


def test_what_is_logged():
    head = crafted_head(loss_semantic=THRESHOLD)
    embeddings, clip, regions, index = crafted()
    result = head.loss(embeddings, clip, regions, index)
    assert float(result['segments']) == 4
    assert float(result['unknown_share']) == 0.5
    assert head.last_assignment.tolist() == [0, 1]
    ours = F.normalize(embeddings[0, :, 0].T, dim=1)
    known = (ours[0] @ head.known_rows[0] + ours[2] @ head.known_rows[2]) / 2
    unknown = (ours[1] @ head.clusterer.prototypes[0] + ours[3] @ head.clusterer.prototypes[1]) / 2
    torch.testing.assert_close(result['cosine_known'], known.detach())
    torch.testing.assert_close(result['cosine_unknown'], unknown.detach())
    # MMEngine sums all entries with 'loss' in their name; no other name may contain it.
    assert {name for name in result if 'loss' in name} == set(LOSSES)
    assert not any(value.requires_grad for name, value in result.items() if 'loss' not in name)


def test_without_a_clusterer_only_accepted_segments_are_in_the_semantic_loss():
    head = crafted_head(clusterer=None, loss_semantic=THRESHOLD)
    embeddings, clip, regions, index = crafted()
    result = head.loss(embeddings, clip, regions, index)
    assert float(result['unknown_share']) == 0.5 and float(result['cosine_unknown']) == 0
    assert head.last_assignment is None
    result['loss_semantic'].backward()
    assert embeddings.grad[0, :, 0].any(0).tolist() == [True, False, True, False]
    ours = F.normalize(embeddings.detach()[0, :, 0].T, dim=1)[[0, 2]]
    logits = head.loss_semantic.scale * ours @ head.known_rows.T
    expected = F.cross_entropy(logits, torch.tensor([0, 2]))
    torch.testing.assert_close(result['loss_semantic'].detach(), expected)


def test_negatives_take_probability():
    head = crafted_head(negatives=['thing'], loss_semantic=THRESHOLD)
    clip = torch.eye(DIM)[:3]
    head.negative_rows = F.normalize(torch.eye(DIM)[:1] + 0.1 * torch.eye(DIM)[8:9], dim=1)
    choice = head.decide(clip)
    # The generic word is as close to the first segment as the segment's class is.
    assert choice[0] >= 3 and choice[1:].tolist() == [1, 2]
    assert crafted_head(loss_semantic=THRESHOLD).decide(clip).tolist() == [0, 1, 2]


def test_training_reads_known_words_and_negatives_only():
    head = clips4_head(negatives=['thing'])
    read, original = [], head.text_encoder.encode_texts
    head.text_encoder.encode_texts = lambda texts: read.extend(texts) or original(texts)
    first = head.loss(*batch())
    expected = {f'A photo of a {name} in the scene' for name in (*KNOWN, 'thing')}
    assert set(read) == expected and len(read) == 4
    head.loss(*batch())
    assert len(read) == 4  # once
    again = clips4_head(negatives=['thing'], vocabulary='cat; zebra; sky; sea').loss(*batch())
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_what_a_checkpoint_holds():
    head = clips4_head(negatives=['thing'])
    head.loss(*batch())
    own = {key for key in head.state_dict() if not key.startswith('text_encoder.')}
    state = ('prototypes', 'idle', 'steps', 'usage')
    assert own == {'image_mean.value', *(f'clusterer.{name}' for name in state)}


def test_a_segment_that_clip_did_not_see_has_no_target():
    head = clips4_head()
    embeddings, clip, regions, index = batch()
    regions[0] = 5
    clip[0] = 0
    segments = len(members_of(clip, regions, (1, 1)))
    result = head.loss(embeddings, clip, regions, index)
    assert 0 < float(result['unknown_share']) < 1
    unknown = len(head.last_assignment)
    assert float(result['unknown_share']) == pytest.approx(unknown / (segments - 1))
    (grad,) = torch.autograd.grad(
        result['loss_embedding'] + result['loss_semantic'], embeddings, retain_graph=True
    )
    assert not grad[0].any() and grad[2].any()


def test_mean_of_clips_pixels():
    head, means = clips4_head(mean_momentum=0.8), []
    for seed in (1, 2):
        _, clip, regions, _ = data = batch(seed)
        rows = F.normalize(clip, dim=1).permute(0, 2, 3, 1)[regions >= 0]
        means.append(rows[rows.any(1)].mean(0))
        head.loss(*data)
    expected = 0.8 * means[0] + 0.2 * means[1]
    torch.testing.assert_close(head.image_mean.value, expected)
    embeddings, clip, regions, index = batch()
    head.loss(embeddings, clip, torch.full_like(regions, -1), index)
    # A batch without segments does not update the mean.
    torch.testing.assert_close(head.image_mean.value, expected)


@pytest.mark.parametrize('smoothing', [0.0, 0.5])
def test_features_that_prototypes_start_from(smoothing):
    loss = dict(type='SemanticConsistencyLoss', threshold=0.6, smoothing=smoothing)
    head = crafted_head(loss_semantic=loss, grid=(3, 3))
    _, clip, regions, _ = crafted()
    clip = torch.cat([2 * clip, torch.zeros_like(clip)])
    regions = torch.cat([regions, regions + 4])
    regions[0, 0, 1] = -1
    rows = head.unknown_features(clip, regions)
    # With smoothing, prototypes represent all segments, else only those of no known class.
    kept = [0, 2, 3] if smoothing else [3]
    torch.testing.assert_close(rows, F.normalize(clip[0, :, 0].T[kept], dim=1))
    expected = F.normalize(clip[0, :, 0].T[[0, 2, 3]], dim=1).mean(0)
    torch.testing.assert_close(head.image_mean.value, expected)
    assert head.unknown_features(clip, torch.full_like(regions, -1)).shape == (0, DIM)


def test_losses_may_be_left_out():
    head = clips4_head(loss_contrast=None, loss_semantic=None, known=(), clusterer=None)
    assert set(head.loss(*batch())) == {'segments', 'loss_embedding'}


def test_prototypes_serve_the_semantic_loss_only():
    head = clips4_head(loss_semantic=None)
    assert head.clusterer is None
    assert set(head.loss(*batch())) == {'segments', 'loss_embedding', 'loss_contrast'}
    assert head.last_assignment is None


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict.fromkeys(LOSSES), 'No loss'),
        (dict(known=(), clusterer=None), r'known=\(\) and clusterer=None'),
    ],
)
def test_nothing_to_learn_from(changes, message):
    with pytest.raises(ValueError, match=message):
        clips4_head(**changes)


def test_at_test_time_it_is_a_language_head():
    head = clips4_head(vocabulary='tree; sky')
    features = torch.randn(1, DIM, 3, 4)
    plain = MODELS.build(
        dict(
            type='LanguageHead',
            text_encoder=dict(type='OpenCLIPTextEncoder', arch=VIT, pretrained=None),
            templates='single',
            feature_size=None,
        )
    )
    plain.text_encoder = head.text_encoder
    plain.set_vocabulary(head.vocabulary)
    scores = head((features,))
    assert scores.shape == (1, 2, 3, 4)
    assert torch.equal(scores, plain((features,)))
