# CLIP-S4 without the semantic consistency loss: L_e + L_t.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=None, loss_semantic=None))
