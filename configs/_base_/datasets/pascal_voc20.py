# PASCAL VOC 2012 validation, 20 classes without background.
_base_ = './segmentation_test.py'
vocabulary = 'voc20.json'
val_dataloader = dict(
    dataset=dict(
        type='PascalVOC20Dataset',
        data_root='data/VOCdevkit/VOC2012',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(ann_file='ImageSets/Segmentation/train.txt')
