# MaskCLIP+ on VOC20: after a tenth of the schedule, the student is trained on its own predictions
# (self-training), as in the official zero-shot configs.
_base_ = './plus_r50_voc.py'
model = dict(decode_head=dict(self_training_from=200))
