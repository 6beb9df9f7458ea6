# MaskCLIP, ResNet-50, zero-shot, on VOC20; use --benchmark for other test sets. Official README:
# 41.5 mIoU on VOC20, 18.5 on Context59, 10.2 on COCO-Stuff.
_base_ = [
    '../_base_/models/maskclip_rn50.py',
    '../_base_/datasets/voc_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary={{_base_.vocabulary}}))
