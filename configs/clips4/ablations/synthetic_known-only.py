# CLIP-S4 without unknown prototypes: L_e + L_t + L_s on the segments assigned to a known class.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=None))
