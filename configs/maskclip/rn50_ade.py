# MaskCLIP, ResNet-50, zero-shot on ADE20K; no official number.
_base_ = [
    '../_base_/models/maskclip_rn50.py',
    '../_base_/datasets/ade_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='ade150.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
