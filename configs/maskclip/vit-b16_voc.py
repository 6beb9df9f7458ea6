# MaskCLIP, ViT-B/16, zero-shot on VOC20; the official README: 49.5 mIoU, with plain GELU.
_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/voc_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='voc20_maskclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
