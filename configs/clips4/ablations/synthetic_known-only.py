# CLIP-S4 without unknown prototypes: L_e + L_t + L_s on the segments that a known class claims.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=None))
