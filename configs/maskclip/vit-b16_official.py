# The official MaskCLIP ViT-B/16 on VOC20 (49.5 mIoU in its README): plain GELU and LayerNorm eps
# 1e-6 in the image tower, though OpenAI's weights were trained with QuickGELU and 1e-5. The loader
# refuses these weights with GELU, unless they are a plain state dict without information on origin:
#   python -c "import open_clip, torch; torch.save(open_clip.create_model('ViT-B-16-quickgelu',
#     pretrained='openai').state_dict(), 'data/vit-b16_openai.pth')"
_base_ = './vit-b16.py'
model = dict(
    clip=dict(
        _delete_=True,
        arch=dict(
            embed_dim=512,
            vision_cfg=dict(
                image_size=224, layers=12, width=768, patch_size=16, norm_kwargs=dict(eps=1e-6)
            ),
            text_cfg=dict(context_length=77, vocab_size=49408, width=512, heads=8, layers=12),
            quick_gelu=False,
        ),
        pretrained='data/vit-b16_openai.pth',
    ),
    # The official code computes text embeddings with OpenAI's code.
    decode_head=dict(text_encoder=dict(arch='ViT-B-16-quickgelu', pretrained='openai')),
)
