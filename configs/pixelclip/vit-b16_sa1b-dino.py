# ViT-B/16 on SA-1B images with DINO masks generated online (Table 1); tested on ADE20K.
# The official code uses half-size data: tools/dataset_converters/halve_sa1b.py (docs/data.md), and
#   --cfg-options train_dataloader.dataset.data_root=data/sa1b_half
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/sa1b_images.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/pixelclip_10k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    # DINO ViT-S/16, 16 clusters per image, on the full 640 x 640 view (Sec. 4.1).
    data_preprocessor=dict(dino_size=(640, 640)),
    mask_generator=dict(type='DINOMaskGenerator', num_clusters=16),
)
