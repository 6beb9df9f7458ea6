"""MaskClusteringHook: initialization and updates of the prototypes for unknown classes."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from mmseg_langseg.engine.hooks import MaskClusteringHook
from mmseg_langseg.models.clusterers import UnknownPrototypes
from tests.tiny import clips4, view_batch

UNSURE = dict(type='SemanticConsistencyLoss', threshold=0.9)


def fake_runner(model, batches, iteration=0):
    """Return a mock runner for the hook; the training's own data loader must stay untouched."""
    return SimpleNamespace(
        iter=iteration,
        model=model,
        logger=Mock(),
        seed=7,
        cfg=SimpleNamespace(train_dataloader=dict(batch_size=2)),
        build_dataloader=Mock(return_value=batches),
        message_hub=Mock(),
    )


def test_new_training_initializes_from_regions_assigned_to_no_known_class():
    model, expected = (clips4(loss_semantic=UNSURE).train() for _ in range(2))
    batches = [view_batch(count=2, seed=seed) for seed in range(3)]
    runner = fake_runner(model, batches)
    MaskClusteringHook(init_batches=2).before_train(runner)
    runner.build_dataloader.assert_called_once_with(runner.cfg.train_dataloader, seed=7)

    expected.eval()
    rows = []
    for batch in batches[:2]:
        rows.append(expected.mask_features(**expected.data_preprocessor(batch, True)))
    assert min(len(row) for row in rows) > 5
    expected.decode_head.clusterer.initialize(torch.cat(rows))
    for name, value in expected.decode_head.state_dict().items():
        assert torch.equal(model.decode_head.state_dict()[name], value), name
    start = clips4().decode_head.clusterer.prototypes
    assert not torch.isclose(model.decode_head.clusterer.prototypes, start).all(1).any()
    assert model.training and model.backbone.training
    assert 'from 32 mask features' in runner.logger.info.call_args.args[0]


def test_fewer_batches_than_asked_for_and_no_unknown_region():
    model = clips4(loss_semantic=dict(UNSURE, threshold=0.0)).train()
    start = model.decode_head.clusterer.prototypes.clone()
    MaskClusteringHook().before_train(fake_runner(model, [view_batch()]))
    assert torch.equal(model.decode_head.clusterer.prototypes, start)


@pytest.mark.parametrize(
    ('changes', 'iteration'), [({}, 5), (dict(clusterer=None), 0), (dict(loss_semantic=None), 0)]
)
def test_nothing_is_collected_for_a_resumed_training_or_without_prototypes(changes, iteration):
    model = clips4(**changes).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    runner = fake_runner(model, [view_batch()], iteration)
    MaskClusteringHook().before_train(runner)
    runner.build_dataloader.assert_not_called()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_prototypes_follow_the_segments_of_each_iteration():
    model = clips4(loss_semantic=UNSURE).train()
    head, hook = model.decode_head, MaskClusteringHook(interval=2, histogram_interval=10)
    runner = fake_runner(model, [])
    hook.after_train_iter(runner, 0)  # no assignments before the first loss
    assert int(head.clusterer.steps) == 0
    twin = UnknownPrototypes(5, 12)
    for step in range(2):
        runner.iter = step
        model(**model.data_preprocessor(view_batch(seed=step), True), mode='loss')
        ids, features = head.last_assignment, head.last_features
        assert len(ids) == len(features) > 0
        assert torch.equal(head.clusterer.assign(features), ids)
        hook.after_train_iter(runner, step)
        twin.update(ids, features)
        assert torch.equal(head.clusterer.prototypes, twin.prototypes)
    logged = {call.args[0]: call.args[1] for call in runner.message_hub.update_scalar.mock_calls}
    assert logged == {f'train/cluster/{key}': value for key, value in twin.stats().items()}
    assert not head.clusterer.usage.any() and torch.equal(head.clusterer.idle, twin.idle)
