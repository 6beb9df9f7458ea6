# SA-1B in sa_0000NN/ folders, without masks. For half-size images, as in the official code:
#   --cfg-options train_dataloader.dataset.data_root=data/sa1b_half
_base_ = './unlabeled_images.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/sa1b',
        data_prefix=dict(img_path='images'),
    )
)
