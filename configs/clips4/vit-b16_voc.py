# CLIP-S4 on VOC20 with a ViT-B/16 student: 28 x 28 grid; AdamW as in MMSegmentation's ViT configs.
_base_ = './r50_voc.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        img_size=(448, 448),
        patch_size=16,
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        out_indices=(11,),
        drop_path_rate=0.1,
        final_norm=True,
        interpolate_mode='bicubic',
        # For ImageNet weights converted by MMSegmentation's tools/model_converters/vit2mmseg.py:
        # init_cfg=dict(type='Pretrained', checkpoint='data/vit_base_p16_384.pth')
    ),
    neck=dict(
        head=dict(
            _delete_=True,
            type='FCNHead',
            in_channels=768,
            in_index=0,
            channels=512,
            num_convs=1,
            concat_input=False,
            norm_cfg=dict(type='SyncBN', requires_grad=True),
        )
    ),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.01),
)
