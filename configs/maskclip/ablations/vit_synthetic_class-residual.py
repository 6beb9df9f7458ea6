# Value path with the residual of the class token (PixelCLIP).
_base_ = '../vit_synthetic.py'
model = dict(backbone=dict(readout=dict(type='value_cls')))
