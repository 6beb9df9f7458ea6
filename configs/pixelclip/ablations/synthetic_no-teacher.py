# Masks pool the student's own features of the weak view; Table 3(a), "w/o momentum".
_base_ = '../resnet_synthetic.py'
model = dict(momentum=None)
