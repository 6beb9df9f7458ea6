# CLIP-S4 on VOC20 with an ASPP embedding head and the dilations of MaskCLIP+. MaskCLIP+ sums the
# branches; MMSegmentation concatenates them.
_base_ = './r50_voc.py'
model = dict(
    neck=dict(
        head=dict(
            _delete_=True,
            type='ASPPHead',
            in_channels=2048,
            in_index=3,
            channels=512,
            dilations=(6, 12, 18, 24),
            norm_cfg=dict(type='SyncBN', requires_grad=True),
        )
    )
)
