# Transfer: linear probe of the frozen student on PASCAL VOC, 21 classes. MaskContrast's recipe
# (docs/clips4_choices.md): SGD, lr 0.1, x0.1 at epoch 25 of 60, batch size 16, 512 x 512, 10,582
# images; on one GPU, or with smaller batches on several. Momentum and weight decay are ours.
_base_ = [
    '../../_base_/models/distilled_r50.py',
    '../../_base_/datasets/pascal_voc_aug.py',
    '../../_base_/default_runtime.py',
]
load_from = 'work_dirs/r50_voc/iter_20000.pth'  # the trained student
model = dict(
    _delete_=True,
    type='LinearProbe',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean={{_base_.model.data_preprocessor.mean}},
        std={{_base_.model.data_preprocessor.std}},
        bgr_to_rgb=True,
        size={{_base_.crop_size}},
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    decode_head=dict(
        type='FCNHead',
        num_convs=0,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0.0,
        in_channels={{_base_.model.neck.embed_dim}},
        channels={{_base_.model.neck.embed_dim}},
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
    test_cfg=dict(mode='whole'),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[16534], gamma=0.1)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=39683, val_interval=39683)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
