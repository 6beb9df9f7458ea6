"""PixelCLIP: batches without masks, ablations, momentum teacher, processes, checkpoints."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import build_optim_wrapper
from mmengine.runner.checkpoint import get_state_dict

from tests.distributed import run_processes
from tests.tiny import CONV, loss_of, part_of_batch, pixelclip, training_batch

NAMES = ['cat', 'dog, puppy', 'grass', 'sky', 'road', 'car']
ABLATIONS = {
    'full': {},
    'no clustering': dict(prompts=None, clusterer=None),
    'free centroids': dict(prompts=dict(type='FreeCentroids', num_clusters=6)),
    'fixed names': dict(prompts=dict(type='FixedNames', names=NAMES)),
    'no teacher': dict(momentum=None),
    'argmax': dict(clusterer=dict(type='ArgmaxClusterer', scale=10.0)),
    'templates in training': dict(
        prompts=dict(type='ClassPrompts', num_clusters=6, length=2, templates='imagenet_select')
    ),
    'convolutional tower': dict(arch=CONV),
}


@pytest.mark.parametrize('name', ABLATIONS)
def test_every_variant_trains_also_without_masks(name):
    model = pixelclip(**copy.deepcopy(ABLATIONS[name])).train()
    for counts in [(3, 0, 4), (0, 0, 0), (1, 0, 0)]:
        model.zero_grad()
        loss = loss_of(model, training_batch(counts))
        loss.backward()
        assert torch.isfinite(loss)
        assert (float(loss) == 0) == (sum(counts) == 0)
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                # Every trained parameter needs a gradient, or distributed training would hang.
                assert parameter.grad is not None, key
                assert torch.isfinite(parameter.grad).all(), key


def test_no_clustering_is_every_mask_its_own_class():
    model = pixelclip(prompts=None, clusterer=None).train()
    batch = training_batch((2, 0, 3))
    loss = loss_of(model, batch)
    data = model.data_preprocessor(batch, True)
    (student,) = model.extract_feat(data['inputs']['strong'])
    total, terms = 0.0, 0
    for image, sample in zip(student, data['data_samples'], strict=True):
        masks = sample.masks
        full = F.interpolate(image[None], size=masks.shape[1:], mode='bilinear')[0]
        covered = masks.any(0) if len(masks) else None
        for mask in masks:
            pooled = full[:, mask].mean(1)
            cosine = torch.cosine_similarity(image, pooled[:, None, None], dim=0)
            logits = model.decode_head.mask_decoder(cosine[None, None])
            logits = F.interpolate(logits, size=masks.shape[1:], mode='bilinear')[0, 0]
            terms += int(covered.sum())
            total += F.binary_cross_entropy_with_logits(
                logits[covered], mask[covered].float(), reduction='sum'
            )
    torch.testing.assert_close(loss, total / terms, rtol=1e-4, atol=1e-5)


def test_more_clusters_than_masks():
    model = pixelclip(clusters=40).train()
    assert torch.isfinite(loss_of(model, training_batch((2, 1))))


def test_no_gradient_reaches_text_or_teacher():
    model = pixelclip().train()
    loss_of(model, training_batch()).backward()
    for name, parameter in model.named_parameters():
        if 'text_encoder' in name or 'teacher' in name:
            assert parameter.grad is None and not parameter.requires_grad, name
    assert model.decode_head.prompts.tokens.grad.abs().sum() > 0


def test_teacher_follows_the_student():
    model = pixelclip(momentum=0.9).train()
    loss_of(model, training_batch())
    student = model.backbone.visual.positional_embedding
    teacher = model.teacher.module.visual.positional_embedding
    before = teacher.clone()
    with torch.no_grad():
        student.add_(torch.randn_like(student))
    loss_of(model, training_batch())
    torch.testing.assert_close(teacher, 0.9 * before + 0.1 * student)


def test_two_accumulated_halves_are_one_step():
    """Whole images are covered by two masks each; every mask takes its nearest prompt."""
    whole = training_batch(counts=(1, 1, 1, 1))
    for sample in whole['data_samples']:
        sample.masks = torch.cat([sample.masks, ~sample.masks])
    halves = [
        dict(
            inputs={view: images[part] for view, images in whole['inputs'].items()},
            data_samples=whole['data_samples'][part],
        )
        for part in (slice(0, 2), slice(2, 4))
    ]
    results = []
    for batches, count in (([whole] * 3, 1), (halves * 3, 2)):
        model = pixelclip(momentum=0.5, clusterer=dict(type='ArgmaxClusterer')).train()
        optimizer = dict(type='SGD', lr=1.0)
        wrapper = build_optim_wrapper(
            model, dict(type='OptimWrapper', optimizer=optimizer, accumulative_counts=count)
        )
        wrapper.initialize_count_status(model, 0, len(batches))
        for batch in batches:
            model.train_step(copy.deepcopy(batch), wrapper)
        results.append(model.state_dict())
    start = pixelclip().state_dict()
    name = 'visual.positional_embedding'
    assert not torch.equal(start[f'backbone.{name}'], results[0][f'backbone.{name}'])
    assert not torch.equal(results[0][f'teacher.module.{name}'], results[0][f'backbone.{name}'])
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-5)


def test_checkpoint_resumes_to_the_same_loss():
    model = pixelclip().train()
    for step in range(2):
        loss_of(model, training_batch(seed=step)).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
    state = copy.deepcopy(get_state_dict(model))
    other = pixelclip(seed=5).train()
    other.load_state_dict(state)
    torch.testing.assert_close(
        loss_of(other, training_batch(seed=9)), loss_of(model, training_batch(seed=9))
    )


def test_mask_generator_replaces_the_masks_of_the_dataset():
    generator = dict(
        type='DINOMaskGenerator',
        model_name='test_vit',
        num_clusters=3,
        pretrained=False,
        max_iterations=5,
    )
    preprocessor = dict(type='CLIPDataPreProcessor', input_size=(32, 32), dino_size=(64, 64))
    model = pixelclip(mask_generator=generator, data_preprocessor=preprocessor).train()
    loss = loss_of(model, training_batch((0, 0)))
    assert float(loss) > 0
    assert len(model.decode_head.last_assignment) == 6


def _step(rank, splits):
    model = pixelclip().train()
    batch = training_batch((3, 0, 4, 1))
    loss = loss_of(model, part_of_batch(batch, splits[rank]))
    loss.backward()
    return loss.detach(), model.decode_head.last_assignment, model.decode_head.prompts.tokens.grad


@pytest.mark.parametrize('splits', [(slice(0, 3), slice(3, 4)), (slice(0, 1), slice(1, 4))])
def test_two_processes_equal_one(splits):
    loss, ids, grad = _step(0, [slice(0, 4)])
    results = run_processes(_step, 2, splits)
    for other, _, _ in results:
        torch.testing.assert_close(other, loss)
    assert torch.equal(torch.cat([part for _, part, _ in results]), ids)
    mean = (results[0][2] + results[1][2]) / 2  # DDP averages gradients
    torch.testing.assert_close(mean, grad, rtol=1e-4, atol=1e-6)


def _one_process_without_masks(rank):
    model = pixelclip().train()
    loss = loss_of(model, training_batch((3, 2) if rank == 0 else (0, 0)))
    loss.backward()
    return loss.detach(), model.decode_head.prompts.tokens.grad


def test_a_process_without_masks_does_not_hang():
    (loss0, _), (loss1, grad1) = run_processes(_one_process_without_masks, 2)
    torch.testing.assert_close(loss0, loss1)
    assert float(loss0) > 0 and torch.isfinite(grad1).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match='give both'):
        pixelclip(clusterer=None)
