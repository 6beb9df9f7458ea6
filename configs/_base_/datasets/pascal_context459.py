# PASCAL Context validation, 459 classes.
_base_ = './segmentation_test_wide.py'
vocabulary = 'context459.json'
val_dataloader = dict(
    dataset=dict(
        type='PascalContext459Dataset',
        data_root='data/VOCdevkit/VOC2010',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationContext459'),
        ann_file='ImageSets/SegmentationContext/val.txt',
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
