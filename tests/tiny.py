"""Tiny random models shared by the tests."""

import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_langseg  # noqa: F401  (registers the modules)

TEXT = dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=1)
VIT = dict(
    embed_dim=12,
    vision_cfg=dict(layers=2, width=32, head_width=16, patch_size=8, image_size=32),
    text_cfg=TEXT,
    quick_gelu=True,
)
CONV = dict(
    embed_dim=12,
    vision_cfg=dict(
        timm_model_name='langseg_resnet_tiny', timm_pool='', timm_proj='linear', image_size=64
    ),
    text_cfg=TEXT,
)
RESNET = dict(
    embed_dim=12,
    vision_cfg=dict(layers=[1, 1, 1, 1], width=8, head_width=8, patch_size=None, image_size=64),
    text_cfg=TEXT,
    quick_gelu=True,
)
NORM = dict(type='BN', requires_grad=True)
HEAD_OPTIONS = ('prompts', 'clusterer', 'templates', 'vocabulary', 'center')


def pixelclip_config(arch=VIT, clusters=6, **changes):
    """Return a PixelCLIP config with a tiny tower; ``changes`` go to the head or the model."""
    tower = dict(type='CLIPVisionTransformer', trainable='attention')
    if arch == CONV:
        tower = dict(type='CLIPTimmTower', trainable='all')
    head = dict(
        type='PixelCLIPHead',
        templates='single',
        feature_size=(8, 8),
        prompts=dict(type='ClassPrompts', num_clusters=clusters, length=2),
        clusterer=dict(type='SinkhornClusterer', scale=10.0),
        decoder_channels=(8, 4),
    )
    model = dict(
        type='PixelCLIP',
        clip=dict(arch=arch, pretrained=None),
        data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=(32, 32)),
        backbone=tower,
        decode_head=head,
        test_cfg=dict(mode='whole'),
    )
    for key, value in changes.items():
        (head if key in HEAD_OPTIONS else model)[key] = value
    return model


def pixelclip(seed=0, **changes):
    """Build the model of :func:`pixelclip_config` with seeded weights."""
    torch.manual_seed(seed)
    return MODELS.build(ConfigDict(pixelclip_config(**changes)))


def training_batch(counts=(3, 0, 4), seed=0, size=(40, 56), mask_size=(16, 16)):
    """Return a collated batch as produced by ``PackMaskInputs`` and the data loader."""
    generator = torch.Generator().manual_seed(seed)
    images = [
        torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for _ in counts
    ]
    samples = []
    for count in counts:
        sample = SegDataSample()
        masks = torch.rand(count, *mask_size, generator=generator) > 0.6
        sample.set_field(masks, 'masks', dtype=torch.Tensor)
        samples.append(sample)
    return dict(inputs=dict(weak=images, strong=[255 - i for i in images]), data_samples=samples)


def part_of_batch(batch, part):
    """Return the images of a slice of a :func:`training_batch`, as one process gets them."""
    return dict(
        inputs={key: value[part] for key, value in batch['inputs'].items()},
        data_samples=batch['data_samples'][part],
    )


def loss_of(model, batch):
    """Return the training loss of a collated batch."""
    (loss,) = model(**model.data_preprocessor(batch, True), mode='loss').values()
    return loss


def clips4_config(**changes):
    """Return a CLIP-S⁴ config, tiny student and teacher; ``changes`` go to head or model."""
    head = dict(
        type='CLIPS4Head',
        templates='single',
        known=['cat', 'dog', 'grass'],
        clusterer=dict(type='UnknownPrototypes', num_clusters=5),
        grid=(2, 2),
        iterations=2,
        loss_contrast=dict(type='PixelSegmentContrastLoss'),
        loss_embedding=dict(type='EmbeddingConsistencyLoss'),
        loss_semantic=dict(type='SemanticConsistencyLoss', threshold=0.4),
    )
    model = dict(
        type='CLIPS4',
        clip=dict(arch=VIT, pretrained=None),
        data_preprocessor=dict(type='CLIPDataPreProcessor', teacher_size=(32, 32)),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            base_channels=8,
            stem_channels=8,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            norm_cfg=NORM,
        ),
        neck=dict(
            type='EmbeddingHead',
            embed_dim=12,
            head=dict(type='FCNHead', in_channels=64, in_index=3, channels=16, norm_cfg=NORM),
        ),
        teacher=dict(type='CLIPVisionTransformer', readout='value'),
        decode_head=head,
        test_cfg=dict(mode='whole'),
    )
    for key, value in changes.items():
        (model if key in model else head)[key] = value
    return model


def clips4(seed=0, **changes):
    """Build the model of :func:`clips4_config` with seeded weights."""
    torch.manual_seed(seed)
    return MODELS.build(ConfigDict(clips4_config(**changes)))


def view_batch(count=2, seed=0, side=32):
    """Return a collated batch as produced by ``PackViews`` and the data loader.

    Each image has four regions (single-color quadrants); its views are the image and its mirror.
    """
    generator = torch.Generator().manual_seed(seed)
    quarters = torch.arange(4, dtype=torch.int32).view(2, 2)
    regions = quarters.repeat_interleave(side // 2, 0).repeat_interleave(side // 2, 1)
    images, views, samples = [], [], []
    for _ in range(count):
        colors = torch.randint(0, 256, (3, 4), generator=generator, dtype=torch.uint8)
        images.append(colors[:, regions.long()])
        views.append(torch.stack([images[-1], images[-1].flip(2)]))
        sample = SegDataSample()
        sample.set_field(torch.stack([regions, regions.flip(1)]), 'regions', dtype=torch.Tensor)
        matrices = torch.tensor([[[sign, 0.0, 0], [0, 1, 0]] for sign in (1.0, -1.0)])
        sample.set_field(matrices, 'matrices', dtype=torch.Tensor)
        samples.append(sample)
    return dict(inputs=dict(views=views, image=images), data_samples=samples)
