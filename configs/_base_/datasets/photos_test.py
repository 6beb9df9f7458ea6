# Your own photos with labels, for testing:
#   data/photos/classes.txt                   one class name per line
#   data/photos/val/{images,labels}/          *.jpg and *.png (class index, 255 = unlabeled)
# For other label values, set ignore_index and label_mapping of the dataset (docs/data.md).
_base_ = './segmentation_test.py'
val_dataloader = dict(
    dataset=dict(
        type='FolderSegDataset',
        classes='classes.txt',
        data_root='data/photos',
        data_prefix=dict(img_path='val/images', seg_map_path='val/labels'),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
