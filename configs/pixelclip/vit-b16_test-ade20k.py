# Tests a trained (or, without a checkpoint, the untrained) model on this benchmark.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='ade150.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
