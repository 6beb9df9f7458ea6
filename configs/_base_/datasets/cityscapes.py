# Cityscapes fine validation, 19 classes.
_base_ = './segmentation_test.py'
vocabulary = 'cityscapes.json'
val_dataloader = dict(
    dataset=dict(
        type='CityscapesDataset',
        data_root='data/cityscapes',
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'))
