# MaskCLIP+ on the bundled synthetic dataset, with the names of 12 of 17 classes. The untrained
# student is MaskCLIP.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/distilled_synthetic.py',
    '../_base_/datasets/synthetic_views.py',
]
model = dict(
    type='MaskCLIPPlus',
    decode_head=dict(
        type='MaskCLIPPlusHead',
        text_encoder=dict(type='OpenCLIPTextEncoder'),
        templates='single',
        names={{_base_.known}},
        scale=20.0,
    ),
)
default_hooks = dict(checkpoint=dict(interval=450))
