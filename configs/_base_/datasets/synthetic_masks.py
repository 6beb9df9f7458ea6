# The bundled synthetic dataset with unlabeled masks, for training.
_base_ = './synthetic.py'
train_pipeline = [
    dict(type='LoadSyntheticScene', with_masks=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='StrongView', blur_radius=(0.1, 0.5)),
    dict(type='PackMaskInputs', mask_size=(32, 32)),
]
train_dataloader = dict(
    batch_size=18,
    num_workers=0,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='SyntheticScenesDataset', split='train', num_scenes=4000, pipeline=train_pipeline
    ),
)
# Unlabeled training scenes that LogitCenteringHook computes mean logits on.
centering_dataset = dict(
    type='SyntheticScenesDataset', split='train', num_scenes=400, pipeline={{_base_.test_pipeline}}
)
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
