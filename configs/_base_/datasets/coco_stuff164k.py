# COCO-Stuff 164k validation, 171 classes.
_base_ = './segmentation_test.py'
vocabulary = 'coco_stuff171.json'
val_dataloader = dict(
    dataset=dict(
        type='COCOStuffDataset',
        data_root='data/coco_stuff164k',
        data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017'),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(
    data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017')
)
