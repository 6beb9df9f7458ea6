# CLIP-S4 with class decisions on CLIP's uncalibrated cosines.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(loss_semantic=dict(calibrate=False)))
