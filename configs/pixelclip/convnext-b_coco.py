# ConvNeXt-B on COCO images with class-agnostic masks; tested on COCO-Stuff.
_base_ = [
    '../_base_/models/pixelclip_convnext-b.py',
    '../_base_/datasets/coco_masks.py',
    '../_base_/datasets/coco_stuff164k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
