"""A tiny SAM, and the masks of its own generator."""

import pytest
import torch

LOOSE = dict(points_per_side=3, pred_iou_thresh=-9.0, stability_score_thresh=0.0)
# Smaller and larger than the tiny model's input of 64, portrait and landscape.
SIZES = [(20, 30), (30, 20), (64, 64), (90, 33), (7, 9)]


def build_tiny_sam(checkpoint=None):
    """Build a tiny SAM from the package's modules, with global and windowed attention."""
    modeling = pytest.importorskip('segment_anything.modeling')
    encoder = modeling.ImageEncoderViT(
        img_size=64,
        patch_size=16,
        embed_dim=16,
        depth=2,
        num_heads=2,
        out_chans=16,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    prompts = modeling.PromptEncoder(
        embed_dim=16, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=4
    )
    transformer = modeling.TwoWayTransformer(depth=1, embedding_dim=16, mlp_dim=16, num_heads=2)
    decoder = modeling.MaskDecoder(transformer_dim=16, transformer=transformer)
    sam = modeling.Sam(encoder, prompts, decoder).eval()
    if checkpoint is not None:
        with open(checkpoint, 'rb') as file:
            sam.load_state_dict(torch.load(file))
    return sam


def alone(sam, image, **options):
    """Return the annotations of SamAutomaticMaskGenerator for a single image."""
    from segment_anything import SamAutomaticMaskGenerator

    options = {**LOOSE, **options}
    return SamAutomaticMaskGenerator(sam, output_mode='coco_rle', **options).generate(image)


def check_close(annotations, expected):
    assert len(annotations) == len(expected) > 0
    for one, other in zip(annotations, expected, strict=True):
        assert one['segmentation'] == other['segmentation']
        for key in ('area', 'bbox', 'point_coords', 'crop_box'):
            assert one[key] == other[key]
        for key in ('predicted_iou', 'stability_score'):
            assert one[key] == pytest.approx(other[key], abs=1e-5)
