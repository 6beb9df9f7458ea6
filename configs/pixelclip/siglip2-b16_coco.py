# SigLIP 2 ViT-B/16 on COCO images with class-agnostic masks; tested on COCO-Stuff.
_base_ = [
    '../_base_/models/pixelclip_siglip2-b16.py',
    '../_base_/datasets/coco_masks.py',
    '../_base_/datasets/coco_stuff164k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
