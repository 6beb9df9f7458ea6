# COCO-Object validation, 80 classes and background, on the label maps of COCO-Stuff 164k.
_base_ = './segmentation_test.py'
# Background words; with None the background is the word 'background'.
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
# What makes the test dataset the labeled one for retrieval (tools/test_unsupervised.py).
memory_split = dict(
    data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017')
)
