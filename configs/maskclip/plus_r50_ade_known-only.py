# MaskCLIP+ on ADE20K, only the known names used in training.
_base_ = './plus_r50_ade.py'
model = dict(decode_head=dict(names={{_base_.known}}))
