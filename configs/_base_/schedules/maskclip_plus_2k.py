# MaskCLIP+ without labels (official code): SGD, 16 images per step (4 x 4), 2,000 iterations (VOC).
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=2000, power=0.9, eta_min=1e-4),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=1000)
auto_scale_lr = dict(enable=False, base_batch_size=16)
