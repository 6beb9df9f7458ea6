# ViT-B/16 on SA-1B with its own masks (Table 1); tested on ADE20K, as the official code does.
# The official code uses half-size data: tools/dataset_converters/halve_sa1b.py (docs/data.md), and
#   --cfg-options train_dataloader.dataset.data_root=data/sa1b_half
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/sa1b_masks.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
