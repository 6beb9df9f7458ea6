# CLIP-S4 with only the embedding consistency loss: L_e.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=None, loss_contrast=None, loss_semantic=None))
