# SA-1B in sa_0000NN/ folders, with class-agnostic masks in SA-1B's JSON format. The official code
# uses half-size data: tools/dataset_converters/halve_sa1b.py data/sa1b data/sa1b_half, and
#   --cfg-options train_dataloader.dataset.data_root=data/sa1b_half
_base_ = './unlabeled_masks.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/sa1b',
        data_prefix=dict(img_path='images', mask_path='annotations'),
    )
)
