# CLIP-S4 on VOC20 with a student trained without any labels: MMPretrain's ResNet-50 with MoCo v3
# weights (800 epochs on ImageNet images) instead of an ImageNet classifier. For other
# self-supervised ResNet-50 weights of MMPretrain (MoCo v2, DenseCL, ...), change `checkpoint`.
_base_ = './r50_voc.py'
moco = (
    'https://download.openmmlab.com/mmselfsup/1.x/mocov3/'
    'mocov3_resnet50_8xb512-amp-coslr-800e_in1k/'
    'mocov3_resnet50_8xb512-amp-coslr-800e_in1k_20220927-e043f51a.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        init_cfg=dict(type='Pretrained', checkpoint=moco, prefix='backbone.'),
    )
)
