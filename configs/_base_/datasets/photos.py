# A folder of one's own photos, for training without labels and for testing with them:
#   data/photos/classes.txt                   one class name per line
#   data/photos/train/{images,masks}/         *.jpg and *.json (SA-1B's format)
#   data/photos/val/{images,labels}/          *.jpg and *.png (index of the class, 255 = unlabelled)
_base_ = ['./unlabeled_masks.py', './photos_test.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/photos/train',
        data_prefix=dict(img_path='images', mask_path='masks'),
    )
)
