# MaskCLIP+ on VOC20, only the known names used in training.
_base_ = './plus_r50_voc.py'
model = dict(decode_head=dict(names={{_base_.known_words}}))
