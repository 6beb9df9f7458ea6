# CLIP-S4 on ADE20K: ResNet-50-d8 student, ViT-B/16 teacher, only known class names in training.
_base_ = [
    '../_base_/models/clips4_r50.py',
    '../_base_/datasets/ade_views.py',
    '../_base_/schedules/clips4_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='ade150.json', known={{_base_.known}}))
