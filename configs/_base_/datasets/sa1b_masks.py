# SA-1B, as sa_0000NN/ folders, with class-agnostic masks in SA-1B's JSON format.
_base_ = './unlabeled_masks.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/sa1b',
        data_prefix=dict(img_path='images', mask_path='annotations'),
    )
)
