"""Evaluation from an image file follows the official protocol of PixelCLIP exactly.

The reference is simple and slow: Pillow reads and resizes, then normalization, tower and cosine.
"""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import Compose, pseudo_collate
from mmseg.registry import DATASETS, MODELS
from PIL import Image, ImageOps

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.datasets import shortest_edge_size
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.configs import load, tiny_model

MEAN = torch.tensor([122.7709383, 116.7460125, 104.09373615])[:, None, None]
STD = torch.tensor([68.5005327, 66.6321579, 70.3231630])[:, None, None]
SIZES = {'vit-b16': 320, 'convnext-b': 640}
SEEDS = {'vit-b16': 0, 'convnext-b': 1}  # models that predict many classes in the image
SHAPE = (768, 1536)  # shrinks to 640 x 1280


def sharp_picture():
    """Return squares of one to 16 pixels, which antialiasing changes most; uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    picture = np.empty((*SHAPE, 3), np.uint8)
    for column, cell in enumerate((1, 2, 3, 16)):
        colors = rng.integers(0, 2, (SHAPE[0] // cell, SHAPE[1] // 4 // cell, 3), np.uint8) * 255
        part = colors.repeat(cell, 0).repeat(cell, 1)
        left = column * SHAPE[1] // 4
        picture[:, left : left + SHAPE[1] // 4] = part
    return picture


@pytest.fixture(scope='module')
def voc(tmp_path_factory):
    """VOC 2012 folder with a single JPEG."""
    root = tmp_path_factory.mktemp('VOC2012')
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    (root / 'ImageSets/Segmentation/val.txt').write_text('a\n')
    Image.fromarray(sharp_picture()).save(root / 'JPEGImages/a.jpg', quality=95)
    labels = Image.fromarray(np.full(SHAPE, 1, np.uint8))
    labels.save(root / 'SegmentationClass/a.png')
    return root


def official_logits(path, model, size):
    """Return logits (K, H, W) at the image size, as the official code computes them."""
    image = ImageOps.exif_transpose(Image.open(path)).convert('RGB')
    height, width = image.height, image.width
    resized = shortest_edge_size(height, width, 640, 2560)
    image = image.resize(resized[::-1], Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    batch = ((pixels - MEAN) / STD)[None]
    batch = F.interpolate(batch, size=(size, size), mode='bilinear', align_corners=False)
    features = model.backbone(batch)[-1]
    features = F.interpolate(features, size=(64, 64), mode='bilinear', align_corners=False)
    names = list(model.decode_head.vocabulary.names)
    encoder = model.decode_head.text_encoder
    texts = torch.cat([encoder.encode_texts([f'A photo of a {n} in the scene']) for n in names])
    scores = torch.einsum('bdhw,kd->bkhw', F.normalize(features, dim=1), texts)
    return F.interpolate(scores, size=(height, width), mode='bilinear', align_corners=False)[0]


@pytest.fixture(params=SIZES)
def setup(request, voc):
    """Return a test config of the tower on VOC20, its model with random weights, and the size."""
    cfg = load(f'pixelclip/{request.param}_coco.py', 'pascal_voc20')
    cfg.test_dataloader.dataset.data_root = str(voc)
    cfg.model = tiny_model(cfg)
    cfg.model.test_cfg.keep_logits = True
    torch.manual_seed(SEEDS[request.param])
    return cfg, MODELS.build(cfg.model).eval(), SIZES[request.param]


def check(result, expected):
    assert torch.allclose(result.seg_logits.data, expected, rtol=0, atol=1e-6)
    check_labels(result.pred_sem_seg.data[0], expected)


def check_labels(labels, expected):
    """Check that all labels agree except ties, which float32 rounding decides."""
    first, second = expected.topk(2, 0)[0]
    decided = first - second > 1e-6
    assert decided.float().mean() > 0.999
    assert torch.equal(labels[decided], expected.argmax(0)[decided])
    assert len(labels.unique()) > 3


@torch.no_grad()
def test_test_pipeline(setup, voc):
    cfg, model, size = setup
    sample = DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))[0]
    (result,) = model.test_step(pseudo_collate([sample]))
    assert result.gt_sem_seg.data.shape[1:] == SHAPE
    check(result, official_logits(voc / 'JPEGImages/a.jpg', model, size))


@torch.no_grad()
def test_first_view_of_test_time_augmentation(setup, voc):
    cfg, model, size = setup
    dataset = copy.deepcopy(cfg.test_dataloader.dataset)
    dataset.pipeline = cfg.tta_pipeline
    views = DATASETS.build(dataset)[0]
    assert not views['data_samples'][0].flip and views['data_samples'][1].flip
    first = dict(inputs=views['inputs'][:1], data_samples=views['data_samples'][:1])
    (result,) = model.test_step(first)
    check(result, official_logits(voc / 'JPEGImages/a.jpg', model, size))


@torch.no_grad()
def test_inferencer(setup, voc):
    cfg, model, size = setup
    inferencer = LangSegInferencer(cfg, device='cpu')
    inferencer.model.load_state_dict(model.state_dict())
    path = voc / 'JPEGImages/a.jpg'
    labels = inferencer(path, Vocabulary.parse('voc20.json')).labels
    check_labels(torch.from_numpy(labels), official_logits(path, model, size))


@torch.no_grad()
def test_opencv_resizing_differs(setup, voc):
    """The image distinguishes the two filters, so the tests above can fail."""
    cfg, model, size = setup
    steps = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    steps[1:3] = [dict(type='Resize', scale=(2560, 640), keep_ratio=True)]
    path = voc / 'JPEGImages/a.jpg'
    (result,) = model.test_step(pseudo_collate([Compose(steps)(dict(img_path=str(path)))]))
    expected = official_logits(path, model, size)
    assert (result.seg_logits.data - expected).abs().max() > 1e-3
    assert (result.pred_sem_seg.data[0] == expected.argmax(0)).float().mean() < 0.99


@pytest.mark.parametrize('kind', ['4:4:4', '4:2:0', 'progressive', 'gray', 'turned'])
def test_decoder_gives_the_pixels_of_pillow(kind, tmp_path):
    """The official code reads with Pillow and applies the EXIF orientation."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (40, 61, 3), np.uint8))
    image = small.resize((181, 117), Image.Resampling.BICUBIC)
    options = dict(quality=90, subsampling='4:4:4' if kind == '4:4:4' else '4:2:0')
    if kind == 'gray':
        image = image.convert('L')
    if kind == 'turned':
        exif = Image.Exif()
        exif[0x0112] = 6
        options['exif'] = exif
    image.save(tmp_path / 'a.jpg', progressive=kind == 'progressive', **options)
    expected = np.array(ImageOps.exif_transpose(Image.open(tmp_path / 'a.jpg')).convert('RGB'))
    assert expected.shape == ((181, 117, 3) if kind == 'turned' else (117, 181, 3))
    load_step = load('pixelclip/vit-b16_coco.py', 'pascal_voc20').test_dataloader.dataset.pipeline[
        0
    ]
    decoded = Compose([load_step])(dict(img_path=str(tmp_path / 'a.jpg')))['img'][..., ::-1]
    assert np.array_equal(decoded, expected)
