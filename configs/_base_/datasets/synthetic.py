# The bundled synthetic dataset: rendered scenes, no files. The splits share no scene.
test_pipeline = [dict(type='LoadSyntheticScene'), dict(type='PackSegInputs')]
tta_pipeline = [
    dict(type='LoadSyntheticScene'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
val_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SyntheticScenesDataset', split='tune', num_scenes=200, pipeline=test_pipeline
    ),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SyntheticScenesDataset', split='test', num_scenes=600, pipeline=test_pipeline
    ),
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(split='train', num_scenes=400)
