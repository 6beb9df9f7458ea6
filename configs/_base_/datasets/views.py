# Training on augmented views of images only: no labels, no masks. The paper crops and color-jitters
# the views (docs/clips4_choices.md); ranges and probabilities are HSG's.
augment = [
    dict(type='RandomView', crop_size=(448, 448), ratio_range=(0.5, 1.5), flip_prob=0.5),
    # HSG: jitter factors 0.4, 0.4, 0.4 and 0.1 with p = 0.8; MMSegmentation's closest equivalent.
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=50,
        contrast_range=(0.6, 1.4),
        saturation_range=(0.6, 1.4),
        hue_delta=18,
    ),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True),
]
views_pipeline = [
    dict(type='LoadUnlabeledImage'),
    dict(type='LoadRegionMap', max_regions=48),  # per image, as in HSG; computed on the fly
    dict(type='AugmentedViews', num_views=2, transforms=augment),
    dict(type='PackViews'),
]
# MaskCLIP+ trains on one view and needs no regions.
single_view_pipeline = [
    dict(type='LoadUnlabeledImage'),
    dict(type='AugmentedViews', num_views=1, transforms=augment),
    dict(type='PackViews', with_regions=False),
]
train_dataloader = dict(
    batch_size=1,  # images (two views each) per process: 8 on 8 processes; use 8 on one
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(type='UnlabeledMaskDataset', on_bad_file='skip', pipeline=views_pipeline),
)
