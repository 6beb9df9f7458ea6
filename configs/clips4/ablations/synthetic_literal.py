# CLIP-S4 with unknown prototypes in the spec's literal form: one softmax over known classes and the
# prototypes of what no known class claims, nothing smoothed.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(loss_semantic=dict(smoothing=0.0, softmax='joint')))
