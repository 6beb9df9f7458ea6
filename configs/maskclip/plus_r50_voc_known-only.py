# MaskCLIP+ on VOC20, trained with known class names only.
_base_ = './plus_r50_voc.py'
model = dict(decode_head=dict(names={{_base_.known_words}}))
