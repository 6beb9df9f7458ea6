# MaskCLIP+ on ADE20K, trained with known class names only.
_base_ = './plus_r50_ade.py'
model = dict(decode_head=dict(names={{_base_.known}}))
