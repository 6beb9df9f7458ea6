# Plain CLIP: the last block as trained.
_base_ = '../vit_synthetic.py'
model = dict(backbone=dict(readout=dict(type='tokens')))
