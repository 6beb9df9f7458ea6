# A folder of one's own photos (layout: photos.py) as augmented views; no masks are needed, regions
# are made on the fly.
_base_ = ['./views.py', './maskclip_test.py']
train_dataloader = dict(
    batch_size=8,  # per process: the batch of one process; 1 on 8
    dataset=dict(data_root='data/photos/train', data_prefix=dict(img_path='images')),
)
test_pipeline = {{_base_.maskclip_pipeline}}
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
