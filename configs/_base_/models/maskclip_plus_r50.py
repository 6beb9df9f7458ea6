# MaskCLIP+ with the same student and teacher as our CLIP-S4, so that the two can be compared; the
# official student is a DeepLabv2-ResNet-101, so results may differ.
_base_ = './distilled_r50.py'
model = dict(
    type='MaskCLIPPlus',
    decode_head=dict(
        type='MaskCLIPPlusHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='maskclip',
        names=[],  # set in the config of the dataset
        scale=20.0,  # ours, as in CLIP-S4's semantic loss; official: unnormalized embeddings
        self_training_from=None,  # never, as in the official configs without labels
    ),
)
custom_hooks = [dict(type='DatasetVocabularyHook')]
