# PixelCLIP on OpenAI's ViT-B/16. Values are the official code's; differences from the paper are
# noted. Deviations from the official code: docs/deviations.md.
clip = dict(arch='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    type='PixelCLIP',
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=(320, 320)),
    # Attention and position embedding are trained (code; the paper says "image encoder"). For CLIP
    # the read-out is 'value_cls' (code; the paper says MaskCLIP, 'value').
    backbone=dict(type='CLIPImageTower', trainable='attention'),
    momentum=0.999,  # gamma, Table 6(a); None: no teacher, Table 3(a)
    decode_head=dict(
        type='PixelCLIPHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='imagenet_select',  # at test time, App. A; 'single' for the ablation tables
        # num_clusters and length: k and l, Table 3(b, c). Templates of the prompts: Table 5.
        prompts=dict(type='ClassPrompts', num_clusters=64, length=4, templates='single'),
        clusterer=dict(type='SinkhornClusterer', scale=100.0, iterations=3),  # eps = 0.01, Sec. 4.1
    ),
    test_cfg=dict(mode='whole'),
)
# Options for the paper's ablations: docs/ablations.md.
custom_hooks = [
    dict(type='DatasetVocabularyHook'),
    dict(type='MaskClusteringHook', interval=50),
    dict(type='MatmulPrecisionHook', precision='high'),  # TF32 (code); 'highest': float32
]
