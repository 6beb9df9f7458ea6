# MaskCLIP+ on COCO-Stuff, all names used in training.
_base_ = [
    '../_base_/models/maskclip_plus_r50.py',
    '../_base_/datasets/coco_stuff_views.py',
    '../_base_/schedules/maskclip_plus_8k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(vocabulary='coco_stuff171_maskclip.json', names='coco_stuff171_maskclip.json')
)
train_dataloader = dict(
    batch_size=16,  # as in the official code: one process of 16, or 4 of 4
    dataset=dict(pipeline={{_base_.single_view_pipeline}}),
)
