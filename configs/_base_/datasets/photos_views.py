# A folder of one's own photos (layout: photos.py) as augmented views; no masks are needed, regions
# are made on the fly. Tested at MaskCLIP's size.
_base_ = ['./views.py', './photos_test.py', './maskclip_test.py']
train_dataloader = dict(
    dataset=dict(data_root='data/photos/train', data_prefix=dict(img_path='images'))
)
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
