# Like maskclip_plus_2k.py, with 8,000 iterations for COCO-Stuff (official code).
_base_ = './maskclip_plus_2k.py'
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=8000, power=0.9, eta_min=1e-4),
]
train_cfg = dict(max_iters=8000)
