# COCO train2017, without masks.
_base_ = './unlabeled_images.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        data_prefix=dict(img_path='images/train2017'),
    )
)
