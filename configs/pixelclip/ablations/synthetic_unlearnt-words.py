# Prompts start from any of the 49408 tokens, most of which the embedded CLIP has never read.
_base_ = '../resnet_synthetic.py'
model = dict(decode_head=dict(prompts=dict(words=None)))
