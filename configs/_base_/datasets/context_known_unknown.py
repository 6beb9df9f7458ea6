# PASCAL Context validation, 59 classes, 49 of them known. As in MaskCLIP's config, images are
# resized to a long side of 520: (520, 520), ratio kept. Resized by OpenCV, see maskclip_test.py.
_base_ = ['./pascal_context59.py', '../splits/context59.py']
vocabulary = 'context59_maskclip.json'
resize = dict(type='Resize', scale=(520, 520), keep_ratio=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='LoadLabelMap'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [resize],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='LoadLabelMap')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='KnownUnknownIoUMetric', known={{_base_.known}}, unknown={{_base_.unknown}}
)
test_evaluator = val_evaluator
