"""Prototypes for unknown classes: against loops, and on one and two processes."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.engine.hooks import MaskClusteringHook
from mmseg_langseg.models.clusterers import UnknownPrototypes
from tests.distributed import run_processes
from tests.tiny import clips4, view_batch

DIM = 6


def rows_of(count, seed=0):
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed))


def is_unit(rows):
    return torch.allclose(rows.norm(dim=1), torch.ones(len(rows)), atol=1e-5)


@pytest.mark.parametrize('momentum', [0.0, 0.9, 1.0])
def test_moving_average_on_the_sphere(momentum):
    clusterer = UnknownPrototypes(4, DIM, momentum=momentum)
    expected = [row.clone() for row in clusterer.prototypes]
    usage = [0] * 4
    for step in range(5):
        features, ids = 3 * rows_of(9, step), torch.tensor([0, 2, 2, 0, 3, 2, 0, 0, 2])
        if step == 3:
            ids[4] = 2
        clusterer.update(ids, features)
        for k in range(4):
            own = [F.normalize(f, dim=0) for f, i in zip(features, ids, strict=True) if i == k]
            usage[k] += len(own)
            if own:
                mean = F.normalize(torch.stack(own).mean(0), dim=0)
                moved = momentum * expected[k] + (1 - momentum) * mean
                expected[k] = F.normalize(moved, dim=0)
    torch.testing.assert_close(clusterer.prototypes, torch.stack(expected))
    assert clusterer.usage.tolist() == usage
    assert clusterer.idle.tolist() == [0, 5, 0, 0] and int(clusterer.steps) == 5


def test_unit_norm_after_any_number_of_updates():
    clusterer = UnknownPrototypes(7, DIM, momentum=0.5, patience=3)
    assert is_unit(clusterer.prototypes)
    for step in range(60):
        features = rows_of(step % 5, step) * 10 ** (step % 7 - 3)
        clusterer.update(clusterer.assign(features), features)
        assert is_unit(clusterer.prototypes), step


def test_assignment_is_the_nearest_prototype():
    clusterer, features = UnknownPrototypes(5, DIM), rows_of(8)
    cosines = [
        [float(F.cosine_similarity(f, p, dim=0)) for p in clusterer.prototypes] for f in features
    ]
    assert clusterer.assign(features).tolist() == [row.index(max(row)) for row in cosines]
    assert clusterer.assign(features[:0]).shape == (0,)


def test_zero_rows_are_ignored():
    features, ids = rows_of(6), torch.tensor([0, 1, 1, 0, 2, 2])
    features[[2, 4, 5]] = 0
    with_zeros, without = UnknownPrototypes(3, DIM), UnknownPrototypes(3, DIM)
    with_zeros.update(ids, features)
    without.update(ids[[0, 1, 3]], features[[0, 1, 3]])
    for name, value in without.state_dict().items():
        assert torch.equal(with_zeros.state_dict()[name], value), name
    assert with_zeros.usage.tolist() == [2, 1, 0]


def test_nothing_assigned():
    clusterer = UnknownPrototypes(3, DIM, patience=2)
    before = clusterer.prototypes.clone()
    for step in range(4):  # prototypes die, and there is no row to reinitialize them from
        clusterer.update(torch.zeros(0).long(), torch.zeros(0, DIM))
        assert clusterer.idle.tolist() == [step + 1] * 3
    assert torch.equal(clusterer.prototypes, before) and not clusterer.usage.any()


def matches(prototypes, features):
    """Return, for each prototype, the features that it equals."""
    close = (prototypes[:, None] - F.normalize(features, dim=1)).abs().amax(2) < 1e-6
    return [set(row.nonzero()[:, 0].tolist()) for row in close]


def test_dead_prototypes_are_reinitialized_from_rows_of_the_batch():
    clusterer = UnknownPrototypes(5, DIM, patience=3)
    zeros = torch.zeros(8).long()
    for step in range(2):
        clusterer.update(zeros, rows_of(8, step))
        assert clusterer.idle.tolist() == [0] + [step + 1] * 4
    before = clusterer.prototypes.clone()
    features = rows_of(8, 2)
    clusterer.update(zeros, features)
    taken = matches(clusterer.prototypes, features)
    assert taken[0] == set()  # alive: it moved a little
    assert all(len(rows) == 1 for rows in taken[1:])
    assert len(set.union(*taken)) == 4  # each takes a different row
    assert clusterer.idle.tolist() == [0] * 5
    assert not torch.isclose(clusterer.prototypes, before).all(1).any()


def test_fewer_rows_than_dead_prototypes():
    clusterer = UnknownPrototypes(5, DIM, patience=1)
    features = torch.cat([rows_of(2), torch.zeros(3, DIM)])
    before = clusterer.prototypes.clone()
    clusterer.update(torch.zeros(5).long(), features)
    taken = matches(clusterer.prototypes, features[:2])
    assert sorted(len(rows) for rows in taken) == [0, 0, 0, 1, 1]
    kept = [k for k in range(1, 5) if not taken[k]]
    assert torch.equal(clusterer.prototypes[kept], before[kept])
    assert all(clusterer.idle[k] == 1 for k in kept)


def test_reseeding_takes_other_places_each_time_and_not_the_global_random_state():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    features, places = rows_of(50), []
    clusterer = UnknownPrototypes(2, DIM, patience=1)
    for _ in range(6):
        clusterer.update(torch.zeros(50).long(), features)
        places.append(matches(clusterer.prototypes, features)[1])
    assert len({tuple(place) for place in places}) > 2
    assert torch.equal(torch.get_rng_state(), state)


def test_first_prototypes_do_not_depend_on_the_order_of_the_features():
    centers = 4 * F.normalize(rows_of(3, 9), dim=1)
    features = centers.repeat(20, 1) + 0.1 * rows_of(60)
    first, shuffled = UnknownPrototypes(3, DIM), UnknownPrototypes(3, DIM)
    first.initialize(features)
    shuffled.initialize(features[torch.randperm(60, generator=torch.Generator().manual_seed(1))])
    torch.testing.assert_close(first.prototypes, shuffled.prototypes)
    assert is_unit(first.prototypes)
    means = [F.normalize(F.normalize(features[k::3], dim=1).mean(0), dim=0) for k in range(3)]
    nearest = (first.prototypes @ torch.stack(means).T).max(1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2]
    torch.testing.assert_close(nearest.values, torch.ones(3))


@pytest.mark.parametrize('count', [0, 2])
def test_fewer_features_than_prototypes(count):
    clusterer = UnknownPrototypes(4, DIM)
    before = clusterer.prototypes.clone()
    features = torch.cat([rows_of(count), torch.zeros(3, DIM)])
    clusterer.initialize(features)
    assert torch.equal(clusterer.prototypes[count:], before[count:])
    assert set.union(set(), *matches(clusterer.prototypes[:count], features[:count])) == set(
        range(count)
    )


def test_checkpoint_holds_the_complete_state():
    clusterer = UnknownPrototypes(4, DIM, patience=2)
    clusterer.initialize(rows_of(9))
    for step in range(3):
        clusterer.update(torch.zeros(9).long(), rows_of(9, step))
    other = UnknownPrototypes(4, DIM, patience=2)
    other.load_state_dict(clusterer.state_dict())
    for part in (clusterer, other):
        for step in range(3):
            part.update(part.assign(rows_of(9, 5 + step)), rows_of(9, 5 + step))
    for name, value in clusterer.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    assert not list(clusterer.parameters())


@pytest.mark.parametrize('settings', [dict(momentum=1.5), dict(patience=0), dict(num_clusters=0)])
def test_bad_settings_name_the_value(settings):
    with pytest.raises(ValueError, match=f'{next(iter(settings))}='):
        UnknownPrototypes(**{'num_clusters': 3, 'embed_dim': DIM, **settings})


def test_features_are_needed():
    with pytest.raises(ValueError, match='features=None'):
        UnknownPrototypes(3, DIM).update(torch.zeros(1).long())


# --- One and two processes ---------------------------------------------------------------------

SPLITS = [5, 0, 9, 7, 9, 2]  # how many of nine features the first process holds in each step


def updated(rank, world):
    """Updates; in the second, third and fifth, one process has no features."""
    clusterer = UnknownPrototypes(6, DIM, momentum=0.5, patience=2)
    for step, split in enumerate(SPLITS):
        features, ids = rows_of(9, step), torch.arange(9) % 4
        if world == 2:
            part = slice(split) if rank == 0 else slice(split, None)
            features, ids = features[part], ids[part]
        clusterer.update(ids, features)
    return clusterer.state_dict()


def initialized(rank, world):
    """Prototypes initialized by the hook from two batches; each of two processes has one image."""
    model = clips4(loss_semantic=dict(type='SemanticConsistencyLoss', threshold=0.9)).train()
    batches = [view_batch(seed=seed) for seed in (1, 2)]
    if world == 2:
        batches = [images_of(batch, slice(rank, rank + 1)) for batch in batches]
    runner = SimpleNamespace(
        iter=0,
        model=model,
        logger=Mock(),
        seed=0,
        cfg=SimpleNamespace(train_dataloader=None),
        build_dataloader=lambda config, seed: batches,
    )
    MaskClusteringHook().before_train(runner)
    head = model.decode_head
    return head.clusterer.prototypes, head.image_mean.value, runner.logger.info.call_args.args[0]


def images_of(batch, part):
    inputs = {key: value[part] for key, value in batch['inputs'].items()}
    return dict(inputs=inputs, data_samples=batch['data_samples'][part])


def head_losses(rank, world, empty):
    """Losses, gradient, running mean and prototypes; ``empty``: image 2 has no valid pixel."""
    head = clips4().decode_head
    generator = torch.Generator().manual_seed(2)
    embeddings, clip = torch.randn(2, 4, 12, 4, 4, generator=generator)
    regions = torch.randint(-1, 3, (4, 4, 4), generator=generator)
    if empty:
        regions[2:] = -1
    part = slice(2 * rank, 2 * rank + 2) if world == 2 else slice(None)
    index = torch.tensor([0, 0, 1, 1])[part] - rank
    embeddings = embeddings[part].requires_grad_()
    result = head.loss(embeddings, clip[part], regions[part], index)
    losses = {name: value for name, value in result.items() if 'loss' in name}
    # The distributed wrapper averages the gradients of the processes.
    (grad,) = torch.autograd.grad(sum(losses.values()) / world, embeddings)
    head.clusterer.update(head.last_assignment, head.last_features)
    numbers = [losses[name].detach() for name in sorted(losses)]
    return torch.stack(numbers), grad, head.image_mean.value, head.clusterer.prototypes


def everything(rank, world=2):
    return (
        updated(rank, world),
        initialized(rank, world),
        [head_losses(rank, world, empty) for empty in (False, True)],
    )


@pytest.mark.multiprocess
def test_two_processes_equal_one():
    state, (prototypes, mean, text), losses = everything(0, world=1)
    assert state['idle'].max() < 2 and int(state['steps']) == 6
    results = run_processes(everything, 2)
    for state2, (prototypes2, mean2, text2), _ in results:
        for name, value in state.items():
            torch.testing.assert_close(state2[name], value)
        torch.testing.assert_close(prototypes2, prototypes, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(mean2, mean)
        assert text2 == text and 'from 32 mask features' in text
    # State that must never diverge between processes is bitwise equal.
    for first, second in zip(flat(results[0][:2]), flat(results[1][:2]), strict=True):
        assert torch.equal(first, second)
    for case, (expected, grad, mean, prototypes) in enumerate(losses):
        parts = [result[2][case] for result in results]
        torch.testing.assert_close(torch.cat([part[1] for part in parts]), grad)
        for numbers, _, mean2, prototypes2 in parts:
            torch.testing.assert_close(numbers, expected)
            torch.testing.assert_close(mean2, mean)
            torch.testing.assert_close(prototypes2, prototypes)


def flat(results):
    state, (prototypes, mean, _) = results
    return [*state.values(), prototypes, mean]
