# Student and frozen teacher of CLIP-S4 and MaskCLIP+. The ones used by CLIP-S4's authors are not
# known; both are our choices (docs/clips4_choices.md).
clip = dict(arch='ViT-B-16-quickgelu', pretrained='openai')
norm_cfg = dict(type='SyncBN', requires_grad=True)  # converted to BN by the Runner on one process
model = dict(
    clip=clip,
    data_preprocessor=dict(
        type='CLIPDataPreProcessor',
        # ImageNet's values for student and teacher, as in MaskCLIP.
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        teacher_size=(512, 512),  # aspect ratio not kept; 32 x 32 features
    ),
    # Supervised ImageNet weights; for self-supervised ones, see clips4/r50-mocov3_voc.py.
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=True,
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'),
    ),
    neck=dict(
        type='EmbeddingHead',
        embed_dim=512,  # dimension of CLIP's joint space
        head=dict(
            type='PSPHead',
            in_channels=2048,
            in_index=3,
            channels=512,
            pool_scales=(1, 2, 3, 6),
            norm_cfg=norm_cfg,
        ),
    ),
    teacher=dict(type='CLIPImageTower', readout='value'),
    test_cfg=dict(mode='whole'),
)
