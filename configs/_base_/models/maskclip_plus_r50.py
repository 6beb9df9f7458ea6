# MaskCLIP+ with the student and teacher of CLIP-S4 here, so that the two can be compared; the
# official student is a DeepLabv2-ResNet-101, whose numbers this one need not give.
_base_ = './distilled_r50.py'
model = dict(
    type='MaskCLIPPlus',
    decode_head=dict(
        type='MaskCLIPPlusHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='maskclip',
        names=[],  # the dataset's config gives them
        scale=20.0,  # ours, that of CLIP-S4's semantic loss; official: embeddings of any length
        self_training_from=None,  # official code, in its configs without labels: never
    ),
)
custom_hooks = [dict(type='DatasetVocabularyHook')]
