# PixelCLIP on SigLIP ViT-B/16 (Table 4). The released code has no SigLIP: the numbers are those of
# its ViT, and the read-out is our choice (each patch alone through the attention pool).
_base_ = './pixelclip_vit-b16.py'
clip = dict(arch='ViT-B-16-SigLIP', pretrained='webli')
model = dict(clip=clip)
