# ADE20K validation, 150 classes.
_base_ = './segmentation_test.py'
vocabulary = 'ade150.json'
val_dataloader = dict(
    dataset=dict(
        type='ADE20KDataset',
        data_root='data/ade/ADEChallengeData2016',
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(
    data_prefix=dict(img_path='images/training', seg_map_path='annotations/training')
)
