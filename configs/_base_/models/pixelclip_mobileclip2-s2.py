# PixelCLIP on MobileCLIP2-S2, a small and fast convolutional tower with the numbers of the official
# ConvNeXt; not in the paper.
_base_ = './pixelclip_convnext-b.py'
clip = dict(arch='MobileCLIP2-S2', pretrained='dfndr2b')
model = dict(clip=clip)
