"""CLIP-S⁴ training: from a batch of views to a trained student."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.models.backbones import CLIPVisionTransformer
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import find_segments, segment_embeddings
from tests.tiny import NORM, VIT, clips4, clips4_config, view_batch

LOSSES = ('loss_contrast', 'loss_embedding', 'loss_semantic')


def losses_of(model, batch):
    """Return the losses of a collated batch by name, and the other logged values."""
    result = model(**model.data_preprocessor(batch, True), mode='loss')
    losses = {name: value for name, value in result.items() if 'loss' in name}
    assert set(losses) == set(LOSSES)
    return losses, {name: value for name, value in result.items() if name not in losses}


def views_of(model, batch):
    data = model.data_preprocessor(batch, True)
    return model.view_batch(data['inputs'], data['data_samples'])


def with_features(batch, features):
    inputs = dict(views=batch['inputs']['views'], clip_features=list(features))
    return dict(inputs=inputs, data_samples=batch['data_samples'])


@pytest.mark.parametrize('loss', LOSSES)
def test_gradient_reaches_backbone_and_neck_alone(loss):
    model = clips4(negatives=['thing']).train()
    teacher, text = model.teacher.tower, model.decode_head.text_encoder
    # Even if their parameters require gradients.
    teacher.requires_grad_(True)
    text.requires_grad_(True)
    state = {name: value.clone() for name, value in model.decode_head.clusterer.named_buffers()}
    losses, logged = losses_of(model, view_batch())
    losses[loss].backward()
    for part in (model.backbone, model.neck):
        assert all(p.grad is not None for p in part.parameters())
        assert any(p.grad.any() for p in part.parameters())
    assert all(p.grad is None for part in (teacher, text) for p in part.parameters())
    for name, value in model.decode_head.clusterer.named_buffers():
        assert not value.requires_grad and torch.equal(value, state[name])
    assert not any(value.requires_grad for value in logged.values())
    assert not model.decode_head.last_features.requires_grad


def test_a_region_has_one_clip_mean_in_all_views():
    """Use a teacher that is constant in each region (spec 6.3, check 4)."""
    model = clips4(teacher=None).train()
    batch = view_batch(count=3)
    generator = torch.Generator().manual_seed(4)
    means = torch.nn.functional.normalize(torch.randn(3, 12, 4, generator=generator), dim=1)
    regions = batch['data_samples'][0].regions[0].long()
    batch = with_features(batch, means[:, :, regions].half())
    views = views_of(model, batch)
    segments = find_segments(views.clip, views.regions, (1, 1), 1)
    rows = segment_embeddings(views.clip, segments)
    assert len(rows) == 3 * 2 * 4
    for row, view, region in zip(rows, segments.view, segments.region, strict=True):
        image = views.image_index[view]
        assert int(image) == int(view) // 2
        torch.testing.assert_close(row, means[image, :, region], rtol=1e-2, atol=1e-3)
    by_view = rows.view(3, 2, 4, 12)
    torch.testing.assert_close(by_view[:, 0], by_view[:, 1])


def test_views_of_a_batch():
    model = clips4().eval()
    batch = view_batch()
    # The right half of the first image's second view is padding.
    sample = batch['data_samples'][0]
    sample.matrices[1] = torch.tensor([[2.0, 0, 1], [0, 1, 0]])
    sample.regions[1, :, 8:] = 3
    views = views_of(model, batch)
    assert views.embeddings.shape == views.clip.shape == (4, 12, 4, 4)
    assert views.image_index.tolist() == [0, 0, 1, 1]
    quarters = [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    assert views.regions[0].tolist() == quarters
    assert views.regions[3].tolist() == [row[::-1] for row in quarters]
    # Pixels that the teacher did not see belong to no region, whatever the map contains.
    assert (views.regions[1, :, 2:] == -1).all() and (views.regions[1, :, :2] >= 0).all()
    assert not views.clip[1, :, :, 2:].any() and views.clip[1, :, :, :2].any(0).all()
    teacher = model.teacher(model.data_preprocessor(batch, True)['inputs']['image'])
    torch.testing.assert_close(views.clip[0], teacher[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(views.clip[3], teacher[1].flip(2), rtol=1e-4, atol=1e-5)


def test_precomputed_features_stand_in_for_the_teacher():
    model, batch = clips4().train(), view_batch()
    expected, logged = losses_of(model, batch)
    inputs = model.data_preprocessor(batch, True)['inputs']
    features = 3 * model.teacher(inputs['image'])  # stored features need not have unit norm
    model.decode_head.image_mean.value.zero_()
    model.teacher = None
    losses, again = losses_of(model, with_features(batch, features))
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(again, logged)
    stored, _ = losses_of(model, with_features(batch, features.half()))
    torch.testing.assert_close(stored, expected, rtol=2e-2, atol=1e-3)
    with pytest.raises(ValueError, match=r"teacher=None and a batch of \['image', 'views'\]"):
        losses_of(model, batch)


def test_twenty_iterations_on_blobs_and_other_words_at_test_time():
    """Spec 6.3, check 9."""
    model = clips4().train()
    wrapper = build_optim_wrapper(
        model, dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=5e-3))
    )
    head, batch = model.decode_head, view_batch(count=3)
    frozen = [*model.teacher.tower.parameters(), *head.text_encoder.parameters()]
    before = [parameter.clone() for parameter in frozen]
    totals, parts = [], []
    for _ in range(20):
        losses, _ = losses_of(model, batch)
        wrapper.update_params(sum(losses.values()))
        head.clusterer.update(head.last_assignment, head.last_features)
        totals.append(sum(losses.values()).item())
        parts.append([losses[name].item() for name in LOSSES])
    assert totals[-1] < 0.6 * totals[0], totals
    assert all(last < first for first, last in zip(parts[0], parts[-1], strict=True)), parts
    assert all(torch.equal(*pair) for pair in zip(before, frozen, strict=True))
    torch.testing.assert_close(head.clusterer.prototypes.norm(dim=1), torch.ones(5))

    for words in ('tree; sky; sea; car; cat', 'tree; sky'):
        vocabulary = Vocabulary.from_string(words)
        model.set_vocabulary(vocabulary)
        (result,) = predict(model, torch.zeros(3, 40, 48, dtype=torch.uint8))
        assert result.pred_sem_seg.data.shape == (1, 40, 48)
        assert result.pred_sem_seg.data.max() < vocabulary.num_classes


def predict(model, image):
    sample = SegDataSample(metainfo=dict(ori_shape=(40, 48), img_shape=(40, 48)))
    data = model.data_preprocessor(dict(inputs=[image], data_samples=[sample]), False)
    with torch.no_grad():
        return model.eval()(**data, mode='predict')


def test_mixed_precision_is_finite():
    model = clips4(loss_contrast=dict(type='PixelSegmentContrastLoss', kappa=30.0)).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses, logged = losses_of(model, view_batch())
    sum(losses.values()).backward()
    assert all(value.dtype == torch.float32 for value in losses.values())
    values = [*losses.values(), *logged.values(), *(p.grad for p in model.backbone.parameters())]
    assert all(torch.isfinite(value).all() for value in values)
    plain = clips4(loss_contrast=dict(type='PixelSegmentContrastLoss', kappa=30.0)).train()
    expected, _ = losses_of(plain, view_batch())
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=0.1, atol=0.1)


def test_features_that_prototypes_start_from_leave_the_model_as_it_is():
    model, batch = clips4().eval(), view_batch()
    statistics = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    data = model.data_preprocessor(batch, True)
    rows = model.mask_features(**data)
    views = views_of(model, batch)
    expected = model.decode_head.unknown_features(views.clip, views.regions)
    assert torch.equal(rows, expected) and not rows.requires_grad
    assert all(torch.equal(v, statistics[k]) for k, v in model.backbone.state_dict().items())


# --- Students other than CLIP towers -----------------------------------------------------------


def test_clip_settings_are_passed_to_towers_only():
    given = []

    @MODELS.register_module()
    class WatchedResNet(MODELS.get('ResNetV1c')):
        def __init__(self, **kwargs):
            given.append(kwargs)
            super().__init__(**kwargs)

    config = clips4_config()
    config['backbone']['type'] = 'WatchedResNet'
    model = MODELS.build(ConfigDict(config))
    assert not given[0].keys() & {'arch', 'pretrained'}
    # Towers given by class instead of name are recognized too.
    config['teacher'] = dict(type=CLIPVisionTransformer)
    config['backbone'] = dict(type=CLIPVisionTransformer)
    del config['neck']
    model = MODELS.build(ConfigDict(config))
    assert model.backbone.embed_dim == model.teacher.embed_dim == 12


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(neck=None), 'The backbone, a ResNetV1c, has embed_dim=None, the text encoder 12'),
        (
            dict(
                neck=dict(
                    type='EmbeddingHead',
                    embed_dim=7,
                    head=dict(type='FCNHead', in_channels=64, channels=4, norm_cfg=NORM),
                )
            ),
            'The neck, a EmbeddingHead, has embed_dim=7, the text encoder 12',
        ),
        (
            dict(
                teacher=dict(type='CLIPVisionTransformer', arch=dict(VIT, embed_dim=10)),
            ),
            'The teacher, a FrozenTower, has embed_dim=10, the text encoder 12',
        ),
    ],
)
def test_another_width_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        clips4(**change)


def test_released_students_hold_no_public_teacher():
    world = dict(
        arch=dict(
            embed_dim=64,
            vision_cfg=dict(
                timm_model_name='langseg_resnet_tiny',
                timm_pool='',
                timm_proj='linear',
                image_size=64,
            ),
            text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
        ),
        pretrained='embedded:clip_resnet_tiny_seed0',
    )
    config = clips4_config(clip=world, teacher=dict(type='CLIPTimmTower'))
    config['neck']['embed_dim'] = 64
    model = MODELS.build(ConfigDict(config))
    heads = {key.split('.')[0] for key in model.state_dict()}
    assert heads == {'backbone', 'neck', 'decode_head'}
    own = {key for key in model.state_dict() if key.startswith('decode_head')}
    assert all('clusterer' in key or 'image_mean' in key for key in own)
