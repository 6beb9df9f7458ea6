# SCLIP, ViT-B/16, on VOC20 in its own protocol. Other test sets:
# --benchmark NAME --protocol sclip
_base_ = [
    '../_base_/models/sclip_vit-b16.py',
    '../_base_/datasets/pascal_voc20.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary={{_base_.benchmarks.pascal_voc20.vocabulary}}))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    {{_base_.resize}},
    dict(type='LoadLabelMap'),
    dict(type='PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
tta_pipeline = None
