# MaskCLIP, ResNet-50, zero-shot on COCO-Stuff; the official README: 10.2 mIoU.
_base_ = [
    '../_base_/models/maskclip_rn50.py',
    '../_base_/datasets/coco_stuff_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='coco_stuff171_maskclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
