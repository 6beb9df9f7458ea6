# PixelCLIP on the bundled synthetic dataset with the bundled tiny ViT; settings of the ResNet, of
# which none was changed after looking at results.
_base_ = './resnet_synthetic.py'
clip = dict(
    arch=dict(
        vision_cfg=dict(
            _delete_=True, image_size=64, patch_size=8, width=64, layers=4, head_width=16
        ),
    ),
    pretrained='embedded:clip_vit_tiny_seed0',
)
model = dict(
    clip=clip,
    backbone=dict(
        _delete_=True, type='CLIPVisionTransformer', readout='value_cls', trainable='attention'
    ),
)
