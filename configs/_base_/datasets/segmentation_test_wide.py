# segmentation_test.py for 16-bit label maps: more than 255 classes, 65535 = ignored.
_base_ = './segmentation_test.py'
test_resize = {{_base_.test_resize}}
test_pipeline = [
    dict(type='LoadImageFromFile'),
    test_resize,
    dict(type='LoadLabelMap', ignore_index=65535),
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
            [dict(type='LoadLabelMap', ignore_index=65535)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
val_evaluator = dict(ignore_index=65535)
test_evaluator = val_evaluator
