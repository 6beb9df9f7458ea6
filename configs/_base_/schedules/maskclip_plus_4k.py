# Like maskclip_plus_2k.py, with 4,000 iterations for Context (official code).
_base_ = './maskclip_plus_2k.py'
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=4000, power=0.9, eta_min=1e-4),
]
train_cfg = dict(max_iters=4000)
