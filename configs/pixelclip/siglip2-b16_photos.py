# SigLIP 2 ViT-B/16 on your own photos without labels (layout: configs/_base_/datasets/photos.py).
# To test on labeled photos, use vit-b16_test-photos.py with
#   --cfg-options model.clip.arch=ViT-B-16-SigLIP2 model.clip.pretrained=webli
_base_ = [
    '../_base_/models/pixelclip_siglip2-b16.py',
    '../_base_/datasets/photos.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
val_cfg = test_cfg = None
