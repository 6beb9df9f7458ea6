# CLIP-S4 on Context59: ResNet-50-d8 student, ViT-B/16 teacher, only known class names in training.
_base_ = [
    '../_base_/models/clips4_r50.py',
    '../_base_/datasets/context_views.py',
    '../_base_/schedules/clips4_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='context59_maskclip.json', known={{_base_.known_words}}))
