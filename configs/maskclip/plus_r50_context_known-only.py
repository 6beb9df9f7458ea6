# MaskCLIP+ on Context59, only the known names used in training.
_base_ = './plus_r50_context.py'
model = dict(decode_head=dict(names={{_base_.known_words}}))
