import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor, EncoderDecoder
from mmseg.registry import MODELS
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
def test_views_are_normalised_then_squashed(sizes):
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
    """A segmentor of two classes whose scores are the first channel and its negative."""

    def __init__(self, test_cfg, input_size):
        BaseSegmentor.__init__(
            self, data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=input_size)
        )
        self.test_cfg = test_cfg
        self.align_corners = False
        self.out_channels = 2

    def encode_decode(self, inputs, batch_img_metas):
        # As BaseDecodeHead.predict_by_feat chooses the size of the scores.
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
    # A left half that is bright and a right half that is dark, at two sizes.
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
