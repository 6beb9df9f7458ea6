import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor, EncoderDecoder
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch.nn import functional as F

from mmseg_langseg.models.data_preprocessor import CLIPDataPreProcessor

MEAN = torch.tensor([122.7709383, 116.7460125, 104.09373615]).view(3, 1, 1)
STD = torch.tensor([68.5005327, 66.6321579, 70.3231630]).view(3, 1, 1)


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def build(**kwargs):
    preprocessor = MODELS.build(dict(type='CLIPDataPreProcessor', **kwargs))
    assert isinstance(preprocessor, CLIPDataPreProcessor)
    return preprocessor


def images(*sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes
    ]


def samples(*sizes, labels=False):
    made = []
    for size in sizes:
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        if labels:
            sample.gt_sem_seg = PixelData(data=torch.zeros(1, *size, dtype=torch.long))
        made.append(sample)
    return made


def expected(bgr, size=None):
    image = ((bgr[[2, 1, 0]].float() - MEAN) / STD)[None]
    if size is None:
        return image
    return F.interpolate(image, size=size, mode='bilinear', align_corners=False)


SIZES = [(20, 30), (41, 17)]


@pytest.mark.parametrize('sizes', [SIZES, [(20, 30)] * 3])
def test_views_are_normalized_then_squashed(sizes):
    weak, strong = images(*sizes), images(*sizes, seed=1)
    data = dict(inputs=dict(weak=weak, strong=strong), data_samples=samples(*sizes))
    out = build(input_size=(16, 16), dino_size=(20, 30))(data, training=True)
    for name, view in (('weak', weak), ('strong', strong)):
        reference = torch.cat([expected(image, (16, 16)) for image in view])
        assert torch.allclose(out['inputs'][name], reference, atol=1e-5)
    reference = torch.cat([expected(image, (20, 30)) for image in weak])
    assert torch.allclose(out['inputs']['dino'], reference, atol=1e-5)
    assert len(out['data_samples']) == len(sizes)


def test_stacked_views_give_the_same():
    weak, strong = images((20, 30), (20, 30)), images((20, 30), (20, 30), seed=1)
    preprocessor = build(input_size=(16, 16))
    listed = preprocessor(dict(inputs=dict(weak=weak, strong=strong)), training=True)
    stacked = preprocessor(
        dict(inputs=dict(weak=torch.stack(weak), strong=torch.stack(strong))), training=True
    )
    assert 'dino' not in listed['inputs']
    for name in ('weak', 'strong'):
        assert torch.equal(listed['inputs'][name], stacked['inputs'][name])


def test_views_without_input_size_keep_theirs():
    weak = images((20, 30), (20, 30))
    out = build()(dict(inputs=dict(weak=weak, strong=weak)), training=True)
    assert torch.allclose(out['inputs']['weak'], torch.cat([expected(image) for image in weak]))
    weak = images(*SIZES)
    with pytest.raises(
        ValueError, match=r'differ in size \(\[\(20, 30\), \(41, 17\)\]\).*input_size'
    ):
        build()(dict(inputs=dict(weak=weak, strong=weak)), training=True)


def test_missing_strong_view_is_named():
    with pytest.raises(ValueError, match=r"lacks the strong view.*'StrongView'"):
        build()(dict(inputs=dict(weak=images((8, 8)))), training=True)


def augmented(*sizes, num_views=2, view_size=(12, 10)):
    """Return samples of PackViews as collated by pseudo_collate."""
    views = [torch.stack(images(*[view_size] * num_views, seed=i)) for i in range(len(sizes))]
    return dict(views=views, image=images(*sizes, seed=9))


@pytest.mark.parametrize('sizes', [SIZES, [(20, 30)] * 3])
def test_augmented_views_are_flattened_and_the_teachers_images_squashed(sizes):
    batch = augmented(*sizes)
    data = dict(inputs=dict(batch), data_samples=samples(*sizes))
    out = build(teacher_size=(16, 24), input_size=(8, 8))(data, training=True)
    assert sorted(out['inputs']) == ['image', 'views']
    assert [sample.ori_shape for sample in out['data_samples']] == list(sizes)
    reference = torch.cat([expected(view) for sample in batch['views'] for view in sample])
    assert out['inputs']['views'].shape == (2 * len(sizes), 3, 12, 10)
    assert torch.allclose(out['inputs']['views'], reference, atol=1e-5)
    reference = torch.cat([expected(image, (16, 24)) for image in batch['image']])
    assert torch.allclose(out['inputs']['image'], reference, atol=1e-5)


def test_the_teachers_images_keep_their_size_without_teacher_size():
    batch = augmented((20, 30), (20, 30), num_views=1)
    out = build()(dict(inputs=dict(batch)), training=True)
    assert out['inputs']['views'].shape == (2, 3, 12, 10) and out['data_samples'] is None
    reference = torch.cat([expected(image) for image in batch['image']])
    assert torch.allclose(out['inputs']['image'], reference, atol=1e-5)
    with pytest.raises(ValueError, match=r'differ in size.*set teacher_size'):
        build()(dict(inputs=augmented(*SIZES)), training=True)


def test_clip_features_replace_the_image():
    batch = augmented(*SIZES)
    del batch['image']
    features = [torch.randn(4, 2, 3).half() for _ in SIZES]
    out = build(teacher_size=(16, 16))(dict(inputs=batch | dict(clip_features=features)))
    assert sorted(out['inputs']) == ['clip_features', 'views']
    assert torch.equal(out['inputs']['clip_features'], torch.stack(features))
    features[1] = torch.zeros(4, 3, 2).half()
    with pytest.raises(ValueError, match=r'differ in shape.*\(4, 2, 3\).*one size'):
        build()(dict(inputs=batch | dict(clip_features=features)))


def test_broken_batches_of_augmented_views_are_named():
    batch = augmented(*SIZES)
    batch['views'][1] = batch['views'][1][..., :7]
    with pytest.raises(ValueError, match=r"differ in size.*'RandomView' gives"):
        build(teacher_size=(8, 8))(dict(inputs=batch))
    with pytest.raises(ValueError, match=r"neither 'image' nor 'clip_features'.*'PackViews'"):
        build()(dict(inputs=dict(views=augmented(*SIZES)['views'])))


def test_packed_samples_become_a_batch():
    steps = [
        dict(type='LoadSyntheticScene', with_masks=True, size=32),
        dict(type='LoadRegionMap', source='masks'),
        dict(type='AugmentedViews', transforms=[dict(type='RandomView', crop_size=(16, 24))]),
        dict(type='PackViews'),
    ]
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    batch = pseudo_collate([pipeline(dict(split='train', scene_index=i)) for i in range(3)])
    packed = [torch.as_tensor(view) for sample in batch['inputs']['views'] for view in sample]
    out = build(teacher_size=(16, 16))(batch, training=True)
    assert out['inputs']['image'].shape == (3, 3, 16, 16)
    assert torch.allclose(
        out['inputs']['views'], torch.cat([expected(view) for view in packed]), atol=1e-5
    )
    assert [tuple(sample.regions.shape) for sample in out['data_samples']] == [(2, 16, 24)] * 3
    assert [tuple(sample.matrices.shape) for sample in out['data_samples']] == [(2, 2, 3)] * 3


def test_test_images_of_any_size_are_squashed():
    batch, metas = images(*SIZES), samples(*SIZES)
    out = build(input_size=(16, 16))(dict(inputs=batch, data_samples=metas))
    reference = torch.cat([expected(image, (16, 16)) for image in batch])
    assert torch.allclose(out['inputs'], reference, atol=1e-5)
    assert [sample.img_shape for sample in out['data_samples']] == [(16, 16)] * 2
    assert [sample.ori_shape for sample in out['data_samples']] == SIZES
    assert build(input_size=(16, 16))(dict(inputs=batch))['inputs'].shape == (2, 3, 16, 16)


def test_equal_test_images_have_one_meta_each():
    sizes = [(20, 30)] * 3
    out = build(input_size=(16, 16))(dict(inputs=images(*sizes), data_samples=samples(*sizes)))
    assert [sample.img_shape for sample in out['data_samples']] == [(16, 16)] * 3


def test_test_images_are_padded_without_input_size():
    batch, metas = images(*SIZES), samples(*SIZES)
    out = build(size_divisor=16)(dict(inputs=batch, data_samples=metas))
    assert out['inputs'].shape == (2, 3, 48, 32)
    for image, got, sample in zip(batch, out['inputs'], out['data_samples'], strict=True):
        height, width = image.shape[1:]
        assert torch.allclose(got[None, :, :height, :width], expected(image), atol=1e-5)
        assert not got[:, height:].any() and not got[:, :, width:].any()
        assert sample.pad_shape == (48, 32)
        assert tuple(sample.img_padding_size) == (0, 32 - width, 0, 48 - height)


class BrightAndDark(EncoderDecoder):
    """Two-class segmentor whose scores are the first channel and its negative."""

    def __init__(self, test_cfg, input_size):
        BaseSegmentor.__init__(
            self, data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=input_size)
        )
        self.test_cfg = test_cfg
        self.align_corners = False
        self.out_channels = 2

    def encode_decode(self, inputs, batch_img_metas):
        # Output size of the scores as in BaseDecodeHead.predict_by_feat.
        size = batch_img_metas[0]['img_shape']
        if not isinstance(size, torch.Size):
            size = batch_img_metas[0]['pad_shape']
        assert tuple(size) == tuple(inputs.shape[2:])
        return torch.cat([inputs[:, :1], -inputs[:, :1]], 1)


@pytest.mark.parametrize('input_size', [(24, 24), None])
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_a_segmentor_predicts_at_the_original_sizes(input_size, mode):
    test_cfg = ConfigDict(mode=mode, crop_size=(16, 16), stride=(8, 8))
    model = BrightAndDark(test_cfg, input_size).eval()
    # Bright left half, dark right half, at two sizes.
    batch = []
    for height, width in [(20, 40), (36, 24)]:
        image = torch.zeros(3, height, width, dtype=torch.uint8)
        image[:, :, : width // 2] = 255
        batch.append(image)
    metas = samples((20, 40), (72, 48))
    with torch.no_grad():
        results = model.test_step(dict(inputs=batch, data_samples=metas))
    for sample, (height, width) in zip(results, [(20, 40), (72, 48)], strict=True):
        found = sample.pred_sem_seg.data[0]
        assert found.shape == (height, width)
        truth = (torch.arange(width) >= width // 2).long().expand(height, width)
        assert (found == truth).float().mean() > 0.95


def test_plain_training_batches_get_the_stock_padding():
    stock = MODELS.build(
        dict(
            type='SegDataPreProcessor',
            mean=MEAN.flatten().tolist(),
            std=STD.flatten().tolist(),
            bgr_to_rgb=True,
            size_divisor=8,
        )
    )
    ours = build(size_divisor=8)
    outputs = [
        model(dict(inputs=images(*SIZES), data_samples=samples(*SIZES, labels=True)), training=True)
        for model in (stock, ours)
    ]
    assert torch.allclose(outputs[0]['inputs'], outputs[1]['inputs'])
    assert outputs[1]['inputs'].shape == (2, 3, 48, 32)
    assert outputs[1]['data_samples'][1].gt_sem_seg.shape == (48, 32)
    default = build()(
        dict(inputs=images(*SIZES), data_samples=samples(*SIZES, labels=True)), training=True
    )
    assert default['inputs'].shape == (2, 3, 41, 30)
