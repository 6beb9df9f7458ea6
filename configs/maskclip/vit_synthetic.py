# MaskCLIP with the bundled tiny ViT CLIP, on the bundled synthetic dataset.
_base_ = [
    '../_base_/models/clip_vit_synthetic.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(readout=dict(type='value')))
