# Augmented views of your own photos (layout: photos.py). No masks are needed; regions are computed
# on the fly.
_base_ = ['./views.py', './maskclip_test.py']
train_dataloader = dict(
    batch_size=8,  # per process: 8 in total on one process; use 1 on 8 processes
    dataset=dict(data_root='data/photos/train', data_prefix=dict(img_path='images')),
)
test_pipeline = {{_base_.maskclip_pipeline}}
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
