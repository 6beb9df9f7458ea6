# SigLIP ViT-B/16 on SA-1B with its own masks (Table 4); tested on ADE20K. The paper's numbers are
# for one template: --cfg-options model.decode_head.templates=single
_base_ = [
    '../_base_/models/pixelclip_siglip-b16.py',
    '../_base_/datasets/sa1b_masks.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
