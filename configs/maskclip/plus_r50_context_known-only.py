# MaskCLIP+ on Context59, trained with known class names only.
_base_ = './plus_r50_context.py'
model = dict(decode_head=dict(names={{_base_.known_words}}))
