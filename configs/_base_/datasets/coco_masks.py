# COCO train2017, with class-agnostic masks in SA-1B's JSON format.
_base_ = './unlabeled_masks.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        data_prefix=dict(img_path='images/train2017', mask_path='masks/train2017'),
    )
)
