# SigLIP 2 ViT-B/16 on SA-1B with its own masks; tested on ADE20K.
_base_ = [
    '../_base_/models/pixelclip_siglip2-b16.py',
    '../_base_/datasets/sa1b_masks.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
