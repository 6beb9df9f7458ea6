# Test protocol of PixelCLIP. Resizing and class names are those of the benchmark's config
# (segmentation_test.py: short side 640). PixelCLIP does not report VOC21, Context60 and
# COCO-Object: there, the background words are SCLIP's, and there is no threshold.
model = dict(
    data_preprocessor=dict(size_divisor=None),
    decode_head=dict(templates='imagenet_select', feature_size=(64, 64)),
    test_cfg=dict(mode='whole'),
)
# Input of the image tower; it defines none for other towers.
# The paper does not give that of SigLIP; here it is that of the other ViTs.
input_sizes = dict(
    CLIPVisionTransformer=(320, 320),
    CLIPTimmVisionTransformer=(320, 320),
    CLIPTimmTower=(640, 640),
)
benchmarks = dict(
    pascal_voc20=dict(),
    pascal_voc21=dict(),
    pascal_context59=dict(),
    pascal_context60=dict(),
    coco_object=dict(),
    coco_stuff164k=dict(),
    cityscapes=dict(),
    ade20k=dict(),
)
