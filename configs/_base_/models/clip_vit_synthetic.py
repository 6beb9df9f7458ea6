# The bundled tiny ViT CLIP, training-free; the read-out is that of plain CLIP.
clip = dict(
    arch=dict(
        embed_dim=64,
        vision_cfg=dict(image_size=64, patch_size=8, width=64, layers=4, head_width=16),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
        quick_gelu=False,
    ),
    pretrained='embedded:clip_vit_tiny_seed0',
)
model = dict(
    type='LanguageSegmentor',
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
    backbone=dict(type='CLIPVisionTransformer', readout=dict(type='tokens')),
    decode_head=dict(
        type='LanguageHead',
        text_encoder=dict(type='OpenCLIPTextEncoder'),
        templates='single',
    ),
    test_cfg=dict(mode='whole'),
)
custom_hooks = [dict(type='DatasetVocabularyHook')]
