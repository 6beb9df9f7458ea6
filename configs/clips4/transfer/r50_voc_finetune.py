# Transfer: fine-tuning of the student with a linear classifier on PASCAL VOC, 21 classes.
# Not confirmed for CLIP-S4; the schedule is MMSegmentation's for 20k iterations.
_base_ = './r50_voc_linear-probe.py'
model = dict(type='EncoderDecoder')
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10.0)}),
)
param_scheduler = [dict(type='PolyLR', by_epoch=False, power=0.9, eta_min=1e-4, end=20000)]
train_cfg = dict(max_iters=20000, val_interval=20000)
