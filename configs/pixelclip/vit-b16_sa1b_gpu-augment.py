# Like vit-b16_sa1b.py, but strong views are augmented on the model's device, if data loading is the
# bottleneck (docs/masks.md). The same three lines work for any config that trains on masks.
_base_ = './vit-b16_sa1b.py'
model = dict(data_preprocessor=dict(strong_view=dict()))
train_dataloader = dict(dataset=dict(pipeline={{_base_.weak_pipeline}}))
