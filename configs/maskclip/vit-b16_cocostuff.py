# MaskCLIP, ViT-B/16, zero-shot on COCO-Stuff; the official README: 12.5 mIoU, with plain GELU.
_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/coco_stuff_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='coco_stuff171_maskclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
