# As vit-b16_sa1b.py, but the strong views are made on the model's device, for loaders that cannot
# keep up with it (docs/masks.md). The same three lines serve any config that trains on masks.
_base_ = './vit-b16_sa1b.py'
model = dict(data_preprocessor=dict(strong_view=dict()))
train_dataloader = dict(dataset=dict(pipeline={{_base_.weak_pipeline}}))
