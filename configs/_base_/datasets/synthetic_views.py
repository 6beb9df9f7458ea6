# Augmented views of the bundled synthetic dataset; regions are a partition of its unlabeled masks.
_base_ = ['./synthetic_masks.py', '../splits/synthetic.py']
views_pipeline = [
    dict(type='LoadSyntheticScene', with_masks=True),
    dict(type='LoadRegionMap', source='masks'),
    dict(
        type='AugmentedViews',
        num_views=2,
        transforms=[
            dict(type='RandomView', crop_size=(64, 64), ratio_range=(1.0, 1.11)),
            dict(type='PhotoMetricDistortion'),
            dict(type='RandomGrayscale', prob=0.2, keep_channels=True),
        ],
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(batch_size=12, dataset=dict(pipeline=views_pipeline))
val_evaluator = dict(
    type='KnownUnknownIoUMetric', known={{_base_.known}}, unknown={{_base_.unknown}}
)
test_evaluator = val_evaluator
