# Training on augmented views of images alone: no labels, no masks. That views are cropped and
# color-jittered is the paper's (docs/clips4_choices.md); ranges and probabilities are HSG's.
augment = [
    dict(type='RandomView', crop_size=(448, 448), ratio_range=(0.5, 1.5), flip_prob=0.5),
    # HSG jitters by factors of 0.4, 0.4, 0.4 and 0.1 with p .8; this is MMSegmentation's nearest.
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
    dict(type='LoadRegionMap', max_regions=48),  # as many as HSG has an image; made on the fly
    dict(type='AugmentedViews', num_views=2, transforms=augment),
    dict(type='PackViews'),
]
# MaskCLIP+ learns from one view and needs no regions.
single_view_pipeline = [
    dict(type='LoadUnlabeledImage'),
    dict(type='AugmentedViews', num_views=1, transforms=augment),
    dict(type='PackViews', with_regions=False),
]
train_dataloader = dict(
    batch_size=1,  # images per process: 8 on 8 processes; 8 on one. Each has two views
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='UnlabeledMaskDataset', on_bad_file='skip', pipeline=views_pipeline),
)
