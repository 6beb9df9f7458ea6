# Training on images only, for masks that the model generates online (DINO).
crop_size = (640, 640)
train_pipeline = [
    dict(type='LoadUnlabeledImage'),
    # Short side 1024, long side at most 1333.
    dict(type='Resize', scale=(1333, 1024), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='StrongView'),
    dict(type='PackMaskInputs'),
]
train_dataloader = dict(
    batch_size=6,  # per process: 48 on 8 processes, as in the paper; use 12 on 4, 48 on one
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='UnlabeledMaskDataset',
        on_bad_file='skip',
        pipeline=train_pipeline,
    ),
)
