# SA-1B, as sa_0000NN/ folders, without masks.
_base_ = './unlabeled_images.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/sa1b',
        data_prefix=dict(img_path='images'),
    )
)
