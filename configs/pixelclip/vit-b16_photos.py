# ViT-B/16 on a folder of one's own photos, which needs no labels (layout:
# configs/_base_/datasets/photos.py). With labels, vit-b16_test-photos.py tests it.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/photos.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
val_cfg = test_cfg = None
