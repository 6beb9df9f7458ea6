# MaskCLIP+ on the bundled synthetic dataset with all 17 class names.
_base_ = './plus_resnet_synthetic_known-only.py'
model = dict(decode_head=dict(names={{_base_.names}}))
