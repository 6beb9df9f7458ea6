# The bundled synthetic dataset: rendered scenes, no files. The splits share no scene.
train_pipeline = [
    dict(type='LoadSyntheticScene', with_masks=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='StrongView', blur_radius=(0.1, 0.5)),
    dict(type='PackMaskInputs', mask_size=(32, 32)),
]
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
train_dataloader = dict(
    batch_size=18,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='SyntheticScenesDataset', split='train', num_scenes=4000, pipeline=train_pipeline
    ),
)
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
# Unlabeled training scenes that LogitCenteringHook computes mean logits on.
centering_dataset = dict(
    type='SyntheticScenesDataset', split='train', num_scenes=400, pipeline=test_pipeline
)
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(split='train', num_scenes=400)
# Words that the bundled CLIP knows besides the class names (mmseg_langseg.synthetic.words).
learned_words = [
    'hoop', 'circle', 'band', 'wheel', 'plus', 'medal', 'saint', 'spark', 'burst', 'sun', 'love',
    'valentine', 'crescent', 'lunar', 'eclipse', 'pointer', 'direction', 'sign', 'blossom', 'bloom',
    'daisy', 'rose', 'trout', 'carp', 'salmon', 'shark', 'home', 'hut', 'cottage', 'cabin', 'steps',
    'stairs', 'climb', 'biscuit', 'cracker', 'snack', 'sphere', 'globe', 'orb', 'balloon', 'wall',
    'masonry', 'tiles', 'sea', 'water', 'ocean', 'lawn', 'meadow', 'turf', 'field', 'stones',
    'gravel', 'rocks', 'sky', 'fog', 'mist', 'smoke', 'old', 'new', 'nice', 'my', 'our', 'funny',
    'cool', 'today', 'summer', 'winter', 'great', 'best', 'happy', 'day', 'morning', 'little',
    'very', 'with', 'from', 'look', 'here', 'this', 'vintage', 'modern', 'cute', 'pretty', 'simple',
    'free', 'shop', 'sale', 'design', 'print', 'card', 'gift', 'party',
]  # fmt: skip
