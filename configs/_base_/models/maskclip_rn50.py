# MaskCLIP on OpenAI's ResNet-50, training-free. Larger models: clip.arch='RN50x16-quickgelu'.
_base_ = './maskclip_vit-b16.py'
# QuickGELU is the activation of the text encoder; the ResNet itself uses ReLU.
clip = dict(arch='RN50-quickgelu')
model = dict(
    clip=clip,
    data_preprocessor=dict(size_divisor=1),
    backbone=dict(_delete_=True, type='CLIPResNet', with_keys=True),
)
