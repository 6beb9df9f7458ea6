# AdamW, 10,000 iterations with 48 images per step (Sec. 4.1).
tower_norm = dict(lr_mult=0.01, decay_mult=0.0)  # no weight decay for ConvNeXt's norm layers (code)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.01),  # code; not in the paper
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'visual.': dict(lr_mult=0.01),  # image encoder: 2e-6
            'norm.weight': tower_norm,
            'norm.bias': tower_norm,
            '.downsample.0.': tower_norm,
            '.stem.1.': tower_norm,
            'prompts': dict(lr_mult=10.0),  # 2e-3 (code); the paper's 2e-5: lr_mult=0.1
        },
    ),
)
# Cosine from 1 to 1/2 for all groups (code; not in the paper).
param_scheduler = [
    dict(
        type='CosineAnnealingLR', by_epoch=False, begin=0, end=10000, T_max=10000, eta_min_ratio=0.5
    )
]
# The official code validates with the template 'single'; we use the eight templates of the test.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10000, val_interval=1000)
auto_scale_lr = dict(enable=False, base_batch_size=48)
