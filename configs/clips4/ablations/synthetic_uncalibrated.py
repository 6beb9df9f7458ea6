# CLIP-S4 whose decisions are taken on CLIP's cosines as they are.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(loss_semantic=dict(calibrate=False)))
