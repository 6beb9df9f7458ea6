# Each mask is its own class, Eq. (2); Table 3(a), "w/o semantic clustering".
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(prompts=None, clusterer=None))
