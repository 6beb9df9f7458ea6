"""MaskCLIP+ training: from a batch of views to a trained student."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.tiny import NORM, VIT, clips4_config


def maskclip_plus(seed=0, **head):
    """Build MaskCLIP+ with the student and the teacher of the tiny CLIP-S⁴."""
    torch.manual_seed(seed)
    decode_head = dict(
        type='MaskCLIPPlusHead',
        names=['cat', 'dog', 'grass'],
        templates='single',
        feature_size=None,
        **head,
    )
    config = {**clips4_config(), 'type': 'MaskCLIPPlus', 'decode_head': decode_head}
    return MODELS.build(ConfigDict(config))


def flipped_batch(count=2):
    """Images with single-color quadrants; the view is the flipped image with padding below."""
    generator = torch.Generator().manual_seed(0)
    images, views, samples = [], [], []
    for _ in range(count):
        colors = torch.randint(0, 256, (3, 2, 2), generator=generator, dtype=torch.uint8)
        image = colors.repeat_interleave(16, 1).repeat_interleave(16, 2)
        view = torch.full((1, 3, 64, 32), 100, dtype=torch.uint8)
        view[0, :, :32] = image.flip(2)
        sample = SegDataSample()
        # View to image: x = -x, y = 2 y + 1, which exceeds 1 in the lower half, the padding.
        matrix = torch.tensor([[[-1.0, 0, 0], [0, 2, 1]]])
        sample.set_field(matrix, 'matrices', dtype=torch.Tensor)
        images.append(image)
        views.append(view)
        samples.append(sample)
    return dict(inputs=dict(image=images, views=views), data_samples=samples)


def loss_of(model, batch):
    return model(**model.data_preprocessor(batch, True), mode='loss')


def test_pseudo_labels_follow_the_view_and_padding_is_left_out():
    model = maskclip_plus().train()
    batch, seen = flipped_batch(), {}
    original = model.decode_head.loss
    model.decode_head.loss = lambda *args: seen.update(args=args) or original(*args)
    losses = loss_of(model, batch)
    assert set(losses) == {'loss_pseudo'} and losses['loss_pseudo'] > 0
    embeddings, clip, valid = seen['args']
    assert embeddings.shape == (2, 12, 8, 4) and embeddings.requires_grad
    assert valid[:, :4].all() and not valid[:, 4:].any() and not clip[:, :, 4:].any()
    # Teacher and student have the same grid, so the warp is just the flip.
    images = model.data_preprocessor(batch, True)['inputs']['image']
    torch.testing.assert_close(clip[:, :, :4], model.teacher(images).flip(3), rtol=0, atol=1e-5)


def test_training_lowers_the_loss_and_never_moves_teacher_or_text():
    model = maskclip_plus().train()
    wrapper = build_optim_wrapper(
        model, dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
    )
    batch = flipped_batch()
    frozen = [*model.teacher.tower.parameters(), *model.decode_head.text_encoder.parameters()]
    before = [parameter.clone() for parameter in frozen]
    optimized = {id(p) for group in wrapper.param_groups for p in group['params']}
    assert not any(id(p) in optimized for p in model.teacher.tower.parameters())
    losses = []
    for _ in range(8):
        loss = loss_of(model, batch)['loss_pseudo']
        wrapper.update_params(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], losses
    assert all(torch.equal(*pair) for pair in zip(before, frozen, strict=True))
    assert int(model.decode_head.iterations) == 8


def test_precomputed_features_stand_in_for_the_teacher():
    model, batch = maskclip_plus().train(), flipped_batch()
    expected = loss_of(model, batch)['loss_pseudo']
    inputs = model.data_preprocessor(batch, True)['inputs']
    features = model.teacher(inputs['image'])
    model.teacher = None
    stored = dict(views=batch['inputs']['views'], clip_features=list(features))
    loss = loss_of(model, dict(inputs=stored, data_samples=batch['data_samples']))['loss_pseudo']
    torch.testing.assert_close(loss, expected)


def test_names_at_test_time_are_free():
    model = maskclip_plus(vocabulary='tree; sky; sea; car')
    sample = SegDataSample(metainfo=dict(ori_shape=(40, 48), img_shape=(40, 48)))
    batch = dict(inputs=[torch.zeros(3, 40, 48, dtype=torch.uint8)], data_samples=[sample])
    with torch.no_grad():
        (result,) = model.eval()(**model.data_preprocessor(batch, False), mode='predict')
    assert result.pred_sem_seg.data.shape == (1, 40, 48) and model.num_classes == 4


def test_a_student_of_another_width_is_refused():
    with pytest.raises(ValueError, match='embed_dim'):
        config = dict(type='EmbeddingHead', embed_dim=7, head=dict(type='FCNHead', in_channels=3))
        config['head'].update(channels=4, norm_cfg=NORM)
        MODELS.build(
            ConfigDict(
                type='MaskCLIPPlus',
                clip=dict(arch=VIT, pretrained=None),
                backbone=dict(type='ResNetV1c', depth=18, base_channels=8, stem_channels=8),
                neck=config,
                teacher=dict(type='CLIPVisionTransformer'),
                decode_head=dict(type='MaskCLIPPlusHead', names='cat; dog'),
            )
        )
