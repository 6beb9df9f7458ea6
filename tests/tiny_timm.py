"""Tiny image-text models with trunks of timm, one of each kind that open_clip lists."""

from functools import partial

from timm.models import is_model, register_model
from timm.models.eva import Eva
from timm.models.fastvit import FastVit, RepConditionalPosEnc
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_hybrid import ConvStem, HybridEmbed
from torch import nn

COMMON = dict(img_size=32, embed_dim=32, depth=2, num_heads=2)
EVA = dict(COMMON, patch_size=8, ref_feat_shape=(2, 2), use_rot_pos_emb=True)
TEXT = dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=1)
BIDIRECTIONAL = dict(
    TEXT,
    context_length=24,
    no_causal_mask=True,
    pool_type='last',
    proj_bias=True,
    tokenizer_kwargs=dict(clean='canonicalize'),
)


def _stem(**kwargs):
    stem = ConvStem(channels=(8, 16, 32), stride=(2, 2, 2), kernel_size=(2, 2, 2), padding=0)
    return HybridEmbed(stem, proj=False, **{k: v for k, v in kwargs.items() if k != 'bias'})


TRUNKS = {
    'siglip': partial(
        VisionTransformer, **COMMON, patch_size=8, class_token=False, global_pool='map'
    ),
    'eva': partial(
        Eva, **EVA, qkv_fused=False, swiglu_mlp=True, scale_mlp=True, scale_attn_inner=True
    ),
    'eva_postnorm': partial(Eva, **COMMON, patch_size=8, use_post_norm=True),
    'pe': partial(
        Eva,
        **EVA,
        attn_type='rope',
        use_pre_transformer_norm=True,
        rope_grid_offset=1.0,
        rope_grid_indexing='xy',
        attn_pool_num_heads=2,
        attn_pool_mlp_ratio=4.0,
        norm_layer=nn.LayerNorm,
    ),
    'registers': partial(
        VisionTransformer,
        **COMMON,
        patch_size=8,
        reg_tokens=2,
        init_values=0.1,
        no_embed_class=True,
        qk_norm=True,
    ),
    'hybrid': partial(VisionTransformer, **COMMON, embed_layer=_stem, patch_size=1),
    'fastvit': partial(
        FastVit,
        layers=(1, 1, 1, 1),
        embed_dims=(16, 16, 32, 64),
        mlp_ratios=(2, 2, 2, 2),
        pos_embs=(None, None, None, partial(RepConditionalPosEnc, spatial_shape=(3, 3))),
        token_mixers=('repmixer', 'repmixer', 'repmixer', 'attention'),
    ),
}
# Pooling and projection in open_clip's config, and the text tower.
KINDS = {
    'siglip': (dict(timm_pool='map', timm_proj='none'), BIDIRECTIONAL, 32),
    'eva': (dict(timm_pool='token', timm_proj=None), TEXT, 12),
    'eva_postnorm': (dict(timm_pool='token', timm_proj=None), TEXT, 12),
    'pe': (dict(timm_pool='map', timm_proj=None), dict(TEXT, context_length=32), 12),
    'registers': (dict(timm_pool='avg', timm_proj='linear'), TEXT, 12),
    'hybrid': (dict(timm_pool='avg', timm_proj='linear'), TEXT, 12),
    'fastvit': (dict(timm_pool='avg', timm_proj=None), dict(TEXT, no_causal_mask=True), 12),
}


def _register(name, trunk):
    def build(pretrained=False, **kwargs):
        for key in ('pretrained_cfg', 'pretrained_cfg_overlay', 'cache_dir'):
            kwargs.pop(key, None)
        model = trunk(**kwargs)
        model.default_cfg = model.pretrained_cfg = dict(input_size=(3, 32, 32))
        return model

    build.__name__, build.__module__ = f'test_tiny_{name}', __name__
    if not is_model(build.__name__):
        register_model(build)


for _name, _trunk in TRUNKS.items():
    _register(_name, _trunk)


def arch(kind):
    """Return the ``arch`` of a kind of model for ``load_clip``."""
    vision, text, width = KINDS[kind]
    return dict(
        embed_dim=width,
        vision_cfg=dict(vision, timm_model_name=f'test_tiny_{kind}', image_size=32),
        text_cfg=dict(text, tokenizer_kwargs=dict(text.get('tokenizer_kwargs', {}))),
        init_logit_scale=2.3,
        init_logit_bias=-10.0 if kind == 'siglip' else None,
    )


SIGLIP = arch('siglip')
