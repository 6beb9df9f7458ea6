# MobileCLIP2-S2, small and fast, on your own photos without labels (layout:
# configs/_base_/datasets/photos.py). To test on labeled photos, use vit-b16_test-photos.py with
#   --cfg-options model.clip.arch=MobileCLIP2-S2 model.clip.pretrained=dfndr2b
#   model.backbone.trainable=all model.data_preprocessor.input_size=640,640
_base_ = [
    '../_base_/models/pixelclip_mobileclip2-s2.py',
    '../_base_/datasets/photos.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
val_cfg = test_cfg = None
