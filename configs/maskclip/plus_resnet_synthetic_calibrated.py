# MaskCLIP+ with known names whose pseudo-labels are calibrated as CLIP-S4's decisions are.
_base_ = './plus_resnet_synthetic_known-only.py'
model = dict(decode_head=dict(calibrate=True))
