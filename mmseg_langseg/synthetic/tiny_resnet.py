"""Small ResNet trunk of the bundled CLIP, registered in timm as ``langseg_resnet_tiny``."""

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet


@register_model
def langseg_resnet_tiny(pretrained: bool = False, **kwargs) -> ResNet:
    """Build a ResNet with 0.5 M parameters, one block per stage and an output stride of 8.

    The stride is set here because open_clip's timm wrapper has no argument for it.

    Args:
        pretrained: Must be False: there are no separate weights. The weights come from the
            CLIP checkpoint that contains the trunk.
        **kwargs: Further arguments of ``timm.models.resnet.ResNet``.

    Returns:
        The trunk; ``forward_features`` maps images (B, 3, H, W) to (B, 128, H / 8, W / 8).

    Raises:
        ValueError: If ``pretrained`` is True.
    """
    if pretrained:
        raise ValueError(
            'langseg_resnet_tiny has no pretrained trunk; load a CLIP checkpoint that contains it'
        )
    # Arguments that timm's factory adds or removes for other trunks; ResNet does not accept them.
    for name in ('pretrained_cfg', 'pretrained_cfg_overlay', 'cache_dir'):
        kwargs.pop(name, None)
    settings = dict(
        block=BasicBlock,
        layers=(1, 1, 1, 1),
        channels=(32, 64, 96, 128),
        stem_width=16,
        stem_type='deep',
        output_stride=8,
    )
    model = ResNet(**{**settings, **kwargs})
    model.default_cfg = model.pretrained_cfg = dict(
        num_classes=model.num_classes,
        input_size=(3, 64, 64),
        pool_size=(8, 8),
        first_conv='conv1.0',
        classifier='fc',
    )
    return model
