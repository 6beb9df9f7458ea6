# MaskCLIP on OpenAI's ViT-B/16, training-free. The activation is QuickGELU, as the weights were
# trained; the official config uses plain GELU (maskclip/vit-b16_official.py).
clip = dict(arch='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    type='LanguageSegmentor',
    clip=clip,
    data_preprocessor=dict(
        type='CLIPDataPreProcessor',
        # ImageNet's values, as in the official code; the default is CLIP's own.
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        size_divisor=16,  # whole patches, as in the official code
    ),
    backbone=dict(type='CLIPImageTower', readout='value', with_keys=True),
    decode_head=dict(
        type='MaskCLIPHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='maskclip',  # 85: 80 of ImageNet and 5 more (official code)
        feature_size=None,
        # Refinements: off in the official README's table, 1.0 and 0.5 in the official code:
        # --cfg-options model.decode_head.key_smoothing=1.0 model.decode_head.prompt_denoising=0.5
        key_smoothing=None,
        prompt_denoising=None,
    ),
    test_cfg=dict(mode='whole'),
)
custom_hooks = [dict(type='DatasetVocabularyHook')]
