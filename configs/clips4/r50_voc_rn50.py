# CLIP-S4 on VOC20 with CLIP's ResNet-50 as teacher: 16 x 16 features with 1024 channels.
_base_ = './r50_voc.py'
clip = dict(arch='RN50-quickgelu')
model = dict(
    clip=clip,
    neck=dict(embed_dim=1024),
    teacher=dict(_delete_=True, type='CLIPResNet'),
)
