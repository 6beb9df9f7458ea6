# Student and teacher of CLIP-S4 and MaskCLIP+ on the synthetic dataset: the teacher is the bundled
# tiny CLIP; the student starts as its copy, as no ImageNet model has this size. Chosen on 'tune'.
clip = dict(
    arch=dict(
        embed_dim=64,
        vision_cfg=dict(
            timm_model_name='langseg_resnet_tiny', timm_pool='', timm_proj='linear', image_size=64
        ),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
    ),
    pretrained='embedded:clip_resnet_tiny_seed0',
)
model = dict(
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
    backbone=dict(type='CLIPTimmTower', trainable='all'),
    teacher=dict(type='CLIPTimmTower'),
    test_cfg=dict(mode='whole'),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=30, start_factor=0.03),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=450, T_max=450, eta_min_ratio=0.1),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=450, val_interval=450)
custom_hooks = [
    dict(type='DatasetVocabularyHook'),
    dict(type='MaskClusteringHook', interval=50, histogram_interval=450),
]
randomness = dict(seed=0)
