# CLIP-S4 with the student and teacher of distilled_r50.py. The three losses, their level and what
# they compare are from the paper; all numbers are our choices (docs/clips4_choices.md).
_base_ = './distilled_r50.py'
model = dict(
    type='CLIPS4',
    decode_head=dict(
        type='CLIPS4Head',
        text_encoder=dict(type='OpenCLIPTextEncoder', cache_dir='~/.cache/mmseg_langseg'),
        templates='maskclip',  # 85: 80 of ImageNet and 5 more (MaskCLIP)
        known=[],  # set in the config of the dataset
        negatives=['object', 'thing', 'stuff', 'background', 'scene'],
        clusterer=dict(type='UnknownPrototypes', num_clusters=128, momentum=0.99, patience=500),
        grid=(4, 4),  # HSG, stage 2
        iterations=10,  # SPML
        # Weights and forms: best on synthetic data (docs/clips4_synthetic.md), untested here.
        loss_contrast=dict(type='PixelSegmentContrastLoss', kappa=16.0, loss_weight=0.2),  # HSG
        loss_embedding=dict(type='EmbeddingConsistencyLoss', loss_weight=2.0),
        loss_semantic=dict(
            type='SemanticConsistencyLoss',
            threshold=0.6,
            calibrate=True,
            smoothing=0.5,
            scale=20.0,
            softmax='separate',
            unknown_scale=10.0,
            unknown_weight=0.5,
            loss_weight=0.2,
        ),
    ),
)
custom_hooks = [
    dict(type='DatasetVocabularyHook'),
    # Prototypes are initialized from the regions of 32 batches: up to 24,576 for 8 images each.
    dict(type='MaskClusteringHook', interval=50, init_batches=32),
]
