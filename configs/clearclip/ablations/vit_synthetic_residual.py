# ClearCLIP with residual and MLP of the last block.
_base_ = '../vit_synthetic.py'
model = dict(backbone=dict(readout=dict(residual=True)))
