# CLIP-S4 without its semantic consistency: L_e + L_t.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=None, loss_semantic=None))
