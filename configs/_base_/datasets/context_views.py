# PASCAL Context train, 4,998 images without labels, as augmented views.
_base_ = ['./views.py', './context_known_unknown.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/VOCdevkit/VOC2010',
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/SegmentationContext/train.txt',
    )
)
