# A folder of one's own photos, for training without labels:
#   data/photos/train/{images,masks}/         *.jpg and *.json (SA-1B's format, docs/masks.md)
# There is nothing to validate on; photos_test.py is for those who have labels.
_base_ = ['./unlabeled_masks.py', './segmentation_test.py']
train_dataloader = dict(
    batch_size=12,  # per process; 48 on 4 processes, as in the paper
    dataset=dict(
        data_root='data/photos/train',
        data_prefix=dict(img_path='images', mask_path='masks'),
    ),
)
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
