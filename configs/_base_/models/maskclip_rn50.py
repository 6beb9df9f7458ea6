# MaskCLIP on OpenAI's ResNet-50, without any training. Larger ones: clip.arch='RN50x16-quickgelu'.
_base_ = './maskclip_vit-b16.py'
# The activation is that of the text encoder; the ResNet itself has ReLU.
clip = dict(arch='RN50-quickgelu')
model = dict(
    clip=clip,
    data_preprocessor=dict(size_divisor=1),
    backbone=dict(_delete_=True, type='CLIPResNet', with_keys=True),
)
