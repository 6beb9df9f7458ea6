# MaskCLIP+ on COCO-Stuff, trained with known class names only.
_base_ = './plus_r50_cocostuff.py'
model = dict(decode_head=dict(names={{_base_.known_words}}))
