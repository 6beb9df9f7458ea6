# CLIP-S4 on VOC20 with SigLIP 2 ViT-B/16 as teacher: 32 x 32 features with 768 channels.
_base_ = './r50_voc.py'
clip = dict(arch='ViT-B-16-SigLIP2', pretrained='webli')
model = dict(
    clip=clip,
    # The teacher's own mean and std, for both.
    data_preprocessor=dict(_delete_=True, type='CLIPDataPreProcessor', teacher_size=(512, 512)),
    neck=dict(embed_dim=768),
    teacher=dict(_delete_=True, type='CLIPImageTower'),
)
