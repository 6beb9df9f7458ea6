# NACLIP on OpenAI's ViT-B/16, training-free. The numbers of the test are in the protocol.
_base_ = '../protocols/naclip.py'
clip = dict(arch='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    type='LanguageSegmentor',
    clip=clip,
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
    backbone=dict(type='CLIPImageTower', readout=dict(type='naclip')),
    decode_head=dict(
        type='LanguageHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
    ),
)
custom_hooks = [dict(type='DatasetVocabularyHook')]
