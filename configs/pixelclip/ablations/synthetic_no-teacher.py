# Mask features are pooled from the student's own weak view; Table 3(a), "w/o momentum".
_base_ = '../resnet_synthetic.py'
model = dict(momentum=None)
