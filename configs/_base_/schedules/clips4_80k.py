# Like clips4_20k.py, but longer.
_base_ = './clips4_20k.py'
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=200, start_factor=0.01),
    dict(type='PolyLR', by_epoch=False, begin=200, end=80000, power=0.9, eta_min=0.0),
]
train_cfg = dict(max_iters=80000, val_interval=8000)
