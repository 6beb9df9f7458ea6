# Tests a trained (or, without a checkpoint, the untrained) model on this benchmark.
_base_ = [
    '../_base_/models/pixelclip_convnext-b.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='cityscapes.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
