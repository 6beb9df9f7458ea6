# CLIP-S4 with a literal reading of unknown prototypes: one softmax over the known classes and the
# prototypes of segments assigned to no known class; no smoothing.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(loss_semantic=dict(smoothing=0.0, softmax='joint')))
