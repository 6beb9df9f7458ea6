# PixelCLIP on SigLIP 2 ViT-B/16, with the numbers of the official ViT; see pixelclip_siglip-b16.py.
_base_ = './pixelclip_vit-b16.py'
clip = dict(arch='ViT-B-16-SigLIP2', pretrained='webli')
model = dict(clip=clip)
