# Test pipelines for labeled datasets with PixelCLIP's protocol: detectron2's ResizeShortestEdge
# with Pillow, which antialiases. The data preprocessor then resizes to the input size of the
# tower.
# Short side 640, long side at most 2560.
test_resize = dict(type='ShortestEdgeResize', scale=(2560, 640))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    test_resize,
    dict(type='LoadLabelMap'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [test_resize],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='LoadLabelMap')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
