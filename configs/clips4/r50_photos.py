# CLIP-S4 on a folder of one's own photos (layout: configs/_base_/datasets/photos.py), without
# labels or masks, as regions are made on the fly. The known words are what training may choose
# from: name what you know is in your photos, in any words, or nothing:
#   --known "person; dog; sky"
# With labels, r50_test-photos.py tests it.
_base_ = [
    '../_base_/models/clips4_r50.py',
    '../_base_/datasets/photos_views.py',
    '../_base_/schedules/clips4_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(
        known=['person', 'car', 'dog', 'chair', 'table', 'building', 'tree', 'grass', 'sky', 'wall']
    )
)
val_cfg = test_cfg = None
