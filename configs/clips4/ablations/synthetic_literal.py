# CLIP-S4 with unknown prototypes read literally: one softmax over the known classes and the
# prototypes of what no known class claims; nothing is smoothed.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(loss_semantic=dict(smoothing=0.0, softmax='joint')))
