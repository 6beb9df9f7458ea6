# A folder of one's own photos, for training without labels and for testing with them:
#   data/photos/classes.txt                   one class name per line
#   data/photos/train/{images,masks}/         *.jpg and *.json (SA-1B's format)
#   data/photos/val/{images,labels}/          *.jpg and *.png (index of the class, 255 = unlabelled)
_base_ = ['./unlabeled_masks.py', './segmentation_test.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/photos/train',
        data_prefix=dict(img_path='images', mask_path='masks'),
    )
)
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
