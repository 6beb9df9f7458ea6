"""Embedding head on MMSegmentation's decode heads and backbones."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch import nn

from tests.tiny import NORM, clips4

RESNET = dict(
    type='ResNetV1c',
    depth=18,
    base_channels=8,
    stem_channels=8,
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    norm_cfg=NORM,
)
TRANSFORMER = dict(
    type='VisionTransformer',
    img_size=(32, 32),
    patch_size=8,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
    out_indices=(0, 1),
)
HEADS = dict(
    psp=dict(type='PSPHead', pool_scales=(1, 2)),
    aspp=dict(type='ASPPHead', dilations=(1, 2)),
    fcn=dict(type='FCNHead', num_convs=1),
)


def neck(head, in_channels, width=7):
    settings = dict(in_channels=in_channels, in_index=-1, channels=6, norm_cfg=NORM)
    head = dict(HEADS[head], **settings)
    return dict(type='EmbeddingHead', embed_dim=width, head=head)


def toolbox_model(backbone, neck_, classes=3):
    """Build a stock MMSegmentation segmentor on top of the embeddings."""
    head = dict(type='FCNHead', in_channels=7, channels=4, num_convs=1, num_classes=classes)
    return MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=backbone,
            neck=neck_,
            decode_head=dict(head, in_index=-1, norm_cfg=NORM),
            test_cfg=dict(mode='whole'),
        )
    )


@pytest.mark.parametrize('head', list(HEADS))
@pytest.mark.parametrize(('backbone', 'channels'), [(RESNET, 64), (TRANSFORMER, 16)])
def test_any_head_on_any_backbone(head, backbone, channels):
    model = toolbox_model(backbone, neck(head, channels)).eval()
    with torch.no_grad():
        outputs = model.extract_feat(torch.randn(2, 3, 32, 32))
    assert len(outputs) == 1 and outputs[0].shape == (2, 7, 4, 4)
    assert model.neck.embed_dim == 7


@pytest.mark.parametrize('head', list(HEADS))
def test_nothing_follows_the_last_projection(head):
    torch.manual_seed(0)
    built = MODELS.build(neck(head, 5)).train()
    features = (torch.randn(2, 5, 6, 6),)
    seen = []
    projection = built.head.conv_seg
    assert isinstance(projection, nn.Conv2d) and projection.kernel_size == (1, 1)
    projection.register_forward_hook(lambda module, inputs, output: seen.append(output))
    (embeddings,) = built(features)
    assert embeddings is seen[0]
    assert (embeddings > 0).any() and (embeddings < 0).any()
    with torch.no_grad():
        projection.weight.neg_()
        projection.bias.neg_()
    torch.testing.assert_close(built(features)[0], -embeddings)


def test_no_dropout_unless_it_is_asked_for():
    assert MODELS.build(neck('fcn', 5)).head.dropout is None
    with_dropout = neck('fcn', 5)
    with_dropout['head']['dropout_ratio'] = 0.3
    assert MODELS.build(with_dropout).head.dropout.p == 0.3


def test_the_toolboxs_segmentor_takes_over_a_trained_student():
    """Transfer: backbone and neck of CLIP-S⁴ with a new head and other classes."""
    trained = clips4(neck=neck('fcn', 64, width=12))
    weights = {
        key: value
        for key, value in trained.state_dict().items()
        if key.startswith(('backbone.', 'neck.'))
    }
    config = neck('fcn', 64, width=12)
    model = toolbox_model(RESNET, config)
    model.decode_head = MODELS.build(
        dict(type='FCNHead', in_channels=12, channels=4, num_classes=3, norm_cfg=NORM)
    )
    result = model.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith('decode_head.') for key in result.missing_keys)
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        found, expected = (m.eval().extract_feat(inputs)[0] for m in (model, trained))
        assert torch.equal(found, expected)
        assert model.encode_decode(inputs, [dict(img_shape=(32, 32))]).shape == (2, 3, 32, 32)
