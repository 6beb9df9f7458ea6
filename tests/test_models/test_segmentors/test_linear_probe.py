import copy

import torch
import torch.nn.functional as F
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.runner import load_checkpoint
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_langseg  # noqa: F401  (registers the modules)

BACKBONE = dict(
    type='ResNetV1c', depth=18, base_channels=4, stem_channels=4, strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4), norm_cfg=dict(type='SyncBN'),
)  # fmt: skip
NECK = dict(
    type='EmbeddingHead',
    embed_dim=6,
    head=dict(type='FCNHead', in_channels=32, channels=5, in_index=-1, norm_cfg=dict(type='BN')),
)
OPTIMIZER = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1))


def build(kind='LinearProbe', neck=NECK, seed=0):
    torch.manual_seed(seed)
    width = 6 if neck else 32
    head = dict(
        type='FCNHead', num_convs=0, kernel_size=1, concat_input=False, dropout_ratio=0.0,
        in_channels=width, channels=width, num_classes=3,
    )  # fmt: skip
    model = dict(type=kind, backbone=BACKBONE, neck=neck, decode_head=head)
    return revert_sync_batchnorm(MODELS.build(copy.deepcopy(model)))


def train_once(model):
    generator = torch.Generator().manual_seed(7)
    images = torch.randn(2, 3, 16, 16, generator=generator)
    samples = [SegDataSample() for _ in images]
    for sample in samples:
        labels = torch.randint(0, 3, (1, 16, 16), generator=generator)
        sample.gt_sem_seg = PixelData(data=labels)
    model.train()
    losses = model(images, samples, mode='loss')
    build_optim_wrapper(model, copy.deepcopy(OPTIMIZER)).update_params(losses['decode.loss_ce'])


def changed(model, before):
    now = model.state_dict()
    return {name for name in now if not torch.equal(now[name], before[name])}


def test_only_the_head_learns_and_batch_statistics_stay():
    model = build()
    before = copy.deepcopy(model.state_dict())
    train_once(model)
    assert changed(model, before) == {'decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'}
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained == changed(model, before)
    assert model.decode_head.training and not model.backbone.training and not model.neck.training


def test_all_of_it_learns_when_fine_tuned():
    model = build('EncoderDecoder')
    before = copy.deepcopy(model.state_dict())
    train_once(model)
    names = changed(model, before)
    assert {'backbone.layer1.0.conv1.weight', 'neck.head.conv_seg.weight'} <= names
    assert 'backbone.layer1.0.bn1.running_mean' in names


def test_weights_come_from_a_checkpoint_of_the_student(tmp_path):
    student, model = build('EncoderDecoder', seed=1).eval(), build(seed=2).eval()
    weights = {k: v for k, v in student.state_dict().items() if 'decode_head' not in k}
    torch.save(dict(state_dict={**weights, 'decode_head.rows': torch.ones(2)}), tmp_path / 'a.pth')
    images = torch.randn(2, 3, 16, 16)
    expected = F.normalize(student.extract_feat(images)[-1], dim=1)
    assert not torch.allclose(model.extract_feat(images)[-1], expected)
    load_checkpoint(model, str(tmp_path / 'a.pth'))
    torch.testing.assert_close(model.extract_feat(images)[-1], expected)


def test_embeddings_have_norm_one_and_no_gradient():
    for neck, width in ((NECK, 6), (None, 32)):
        (embeddings,) = build(neck=neck).extract_feat(torch.randn(2, 3, 16, 16))
        assert embeddings.shape[:2] == (2, width) and not embeddings.requires_grad
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones_like(embeddings[:, 0]))
