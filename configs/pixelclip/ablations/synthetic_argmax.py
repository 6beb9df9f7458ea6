# Nearest prompt (arg-max) instead of balanced assignment (not in the paper).
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(clusterer=dict(_delete_=True, type='ArgmaxClusterer')))
