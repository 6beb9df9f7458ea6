# MaskCLIP, ResNet-50, zero-shot on Context59; the official README: 18.5 mIoU.
_base_ = [
    '../_base_/models/maskclip_rn50.py',
    '../_base_/datasets/context_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='context59_maskclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
