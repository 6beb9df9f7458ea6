# CLIP-S4 on your own photos (layout: configs/_base_/datasets/photos.py), without labels or masks;
# regions are computed on the fly. Training assigns segments to the known class names: list what is
# in your photos, in any words; the list may be empty:
#   --known "person; dog; sky"
# To test on labeled photos, use r50_test-photos.py.
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
