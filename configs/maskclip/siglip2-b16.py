# SigLIP 2 ViT-B/16, zero-shot, on VOC20; use --benchmark for other test sets. Each patch goes alone
# through the model's attention pool (CLIPTimmVisionTransformer). Without the attention of the last
# block, as in MaskCLIP: --cfg-options model.backbone.readout=value
_base_ = './vit-b16.py'
clip = dict(arch='ViT-B-16-SigLIP2', pretrained='webli')
model = dict(
    clip=clip,
    # The model's own mean and std.
    data_preprocessor=dict(_delete_=True, type='CLIPDataPreProcessor', size_divisor=16),
    backbone=dict(_delete_=True, type='CLIPImageTower', with_keys=True),
)
