# PixelCLIP with the bundled tiny CLIP on image files: rendered scenes, to try out commands. It
# knows no photos. Layout: configs/_base_/datasets/photos.py.
_base_ = './resnet_synthetic.py'
train_pipeline = [
    dict(type='LoadUnlabeledImage'),
    dict(type='LoadUnlabeledMasks'),
    dict(type='Resize', scale=(4096, 64), keep_ratio=True),  # short side 64
    dict(type='RandomCrop', crop_size=(64, 64)),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='StrongView', blur_radius=(0.1, 0.5)),
    dict(type='PackMaskInputs', mask_size=(32, 32)),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='UnlabeledMaskDataset',
        data_root='data/photos/train',
        data_prefix=dict(img_path='images', mask_path='masks'),
        pipeline=train_pipeline,
    )
)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
val_dataloader = test_dataloader = val_evaluator = test_evaluator = val_cfg = test_cfg = None
