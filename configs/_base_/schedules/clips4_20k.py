# The paper's schedule is not known; this one is ours, similar to those of SPML and MaskCLIP+.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=5e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'neck': dict(lr_mult=10.0)}),  # new layers of the student
)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=200, start_factor=0.01),
    dict(type='PolyLR', by_epoch=False, begin=200, end=20000, power=0.9, eta_min=0.0),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=20000, val_interval=2000)
auto_scale_lr = dict(enable=False, base_batch_size=8)
