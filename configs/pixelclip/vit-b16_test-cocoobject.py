# Tests a trained (or, without a checkpoint, the untrained) model on this benchmark.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/coco_object.py',
    '../_base_/default_runtime.py',
]
# Background words; without this line the background is the word 'background'.
model = dict(decode_head=dict(vocabulary='coco_object_sclip.json'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
