# ViT-B/16 on COCO images with DINO masks generated online; tested on COCO-Stuff.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/coco_images.py',
    '../_base_/datasets/coco_stuff164k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    # DINO ViT-S/16, 16 clusters per image, on the full 640 x 640 view (Sec. 4.1).
    data_preprocessor=dict(dino_size=(640, 640)),
    mask_generator=dict(type='DINOMaskGenerator', num_clusters=16),
)
