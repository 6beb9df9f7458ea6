# MaskCLIP+ on VOC20, trained with all class names.
_base_ = [
    '../_base_/models/maskclip_plus_r50.py',
    '../_base_/datasets/voc_views.py',
    '../_base_/schedules/maskclip_plus_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(vocabulary='voc20_maskclip.json', names='voc20_maskclip.json'))
train_dataloader = dict(
    batch_size=2,  # per process: 16 on 8 processes, as in official code; use 4 on 4, 16 on one
    dataset=dict(pipeline={{_base_.single_view_pipeline}}),
)
