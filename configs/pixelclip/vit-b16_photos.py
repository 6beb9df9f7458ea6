# ViT-B/16 on your own photos without labels (layout: configs/_base_/datasets/photos.py). To test on
# labeled photos, use vit-b16_test-photos.py.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/photos.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
val_cfg = test_cfg = None
