# Value path without residual and MLP of the last block.
_base_ = '../vit_synthetic.py'
model = dict(backbone=dict(readout=dict(type='attention', terms=(), residual=False)))
