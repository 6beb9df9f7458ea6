# The labelled part of a folder of one's own photos (layout: photos.py).
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
