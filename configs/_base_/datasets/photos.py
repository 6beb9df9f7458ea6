# Your own photos, for training without labels:
#   data/photos/train/{images,masks}/         *.jpg and *.json (SA-1B's format, docs/masks.md)
# No validation data; if you have labels, use photos_test.py.
_base_ = ['./unlabeled_masks.py', './segmentation_test.py']
train_dataloader = dict(
    batch_size=12,  # per process: 48 in total on 4 processes, as in the paper
    dataset=dict(
        data_root='data/photos/train',
        data_prefix=dict(img_path='images', mask_path='masks'),
    ),
)
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
