# COCO-Object validation, 80 classes and background, on the label maps of COCO-Stuff 164k.
_base_ = './segmentation_test.py'
# Several background names; with None, the background is named 'background'.
vocabulary = 'coco_object_sclip.json'
val_dataloader = dict(
    dataset=dict(
        type='COCOObjectDataset',
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
