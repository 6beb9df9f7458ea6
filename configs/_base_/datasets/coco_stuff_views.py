# COCO-Stuff 164k train2017, 118,287 images without labels, as augmented views.
_base_ = ['./views.py', './coco_stuff_known_unknown.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco_stuff164k',
        data_prefix=dict(img_path='images/train2017'),
    )
)
