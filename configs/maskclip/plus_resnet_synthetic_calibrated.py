# MaskCLIP+ with known class names; pseudo-labels are calibrated like CLIP-S4's decisions.
_base_ = './plus_resnet_synthetic_known-only.py'
model = dict(decode_head=dict(calibrate=True))
