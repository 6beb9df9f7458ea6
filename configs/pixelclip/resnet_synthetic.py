# PixelCLIP on the bundled synthetic dataset with a tiny CLIP (0.5 M parameters in the image tower).
# Needs no weights and no data; settings that differ from other configs were chosen on 'tune'.
_base_ = ['../_base_/datasets/synthetic_masks.py', '../_base_/default_runtime.py']
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
    type='PixelCLIP',
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
    backbone=dict(type='CLIPTimmTower', trainable='all'),
    momentum=0.9995,
    decode_head=dict(
        type='PixelCLIPHead',
        text_encoder=dict(type='OpenCLIPTextEncoder'),
        templates='single',
        # Initialized from words other than the class names, which are used in the test.
        prompts=dict(
            type='ClassPrompts', num_clusters=32, length=4, words={{_base_.learned_words}}
        ),
        clusterer=dict(type='SinkhornClusterer', scale=20.0),  # the CLIP's own logit scale is 19.6
        decoder_channels=(8, 4),
    ),
    test_cfg=dict(mode='whole'),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'visual.': dict(lr_mult=0.08), 'prompts': dict(lr_mult=0.1)},
    ),
)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=50, start_factor=0.02),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=300, T_max=300, eta_min_ratio=0.1),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
custom_hooks = [
    dict(type='DatasetVocabularyHook'),
    dict(type='MaskClusteringHook', interval=50, histogram_interval=300),
]
randomness = dict(seed=0)
