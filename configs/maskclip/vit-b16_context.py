# MaskCLIP, ViT-B/16, zero-shot on Context59; the official README: 21.7 mIoU, with plain GELU.
_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/context_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='context59_maskclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
