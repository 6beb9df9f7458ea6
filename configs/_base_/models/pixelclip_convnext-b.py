# PixelCLIP on open_clip's ConvNeXt-B. Table 1 of the paper says LAION-2B; the code loads this tag.
clip = dict(arch='convnext_base_w_320', pretrained='laion_aesthetic_s13b_b82k')
model = dict(
    type='PixelCLIP',
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=(640, 640)),
    # Stochastic depth is open_clip's 0.1, also in the teacher (code); 0.0 disables it.
    backbone=dict(type='CLIPTimmTower', trainable='all', drop_path=None),
    momentum=0.999,
    decode_head=dict(
        type='PixelCLIPHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='imagenet_select',
        prompts=dict(type='ClassPrompts', num_clusters=64, length=4, templates='single'),
        clusterer=dict(type='SinkhornClusterer', scale=1.0, iterations=3),  # eps = 1, Sec. 4.1
    ),
    test_cfg=dict(mode='whole'),
)
custom_hooks = [
    dict(type='DatasetVocabularyHook'),
    dict(type='MaskClusteringHook', interval=50),
    dict(type='MatmulPrecisionHook', precision='high'),  # TF32 (code); 'highest': float32
]
