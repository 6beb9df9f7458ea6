# Learnable centroids instead of prompts through the text encoder; Table 3(a), "w/o text encoder".
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(prompts=dict(_delete_=True, type='FreeCentroids', num_clusters=32)))
