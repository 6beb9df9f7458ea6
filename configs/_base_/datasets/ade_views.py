# ADE20K training, 20,210 images without labels, as augmented views.
_base_ = ['./views.py', './ade_known_unknown.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/ade/ADEChallengeData2016',
        data_prefix=dict(img_path='images/training'),
    )
)
