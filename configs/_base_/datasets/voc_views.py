# PASCAL VOC 2012 train_aug, 10,582 images without labels, as augmented views.
_base_ = ['./views.py', './voc_known_unknown.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/VOCdevkit/VOC2012',
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
    )
)
