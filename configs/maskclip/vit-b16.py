# MaskCLIP, ViT-B/16, zero-shot, on VOC20; use --benchmark for other test sets. Official README,
# with plain GELU: 49.5 mIoU on VOC20, 21.7 on Context59, 12.5 on COCO-Stuff.
_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/voc_known_unknown.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary={{_base_.vocabulary}}))
