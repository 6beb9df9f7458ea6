# Test protocol of NACLIP, from its code (sinahmr/NACLIP, revision 0cac3a6): naclip.py and
# configs/cfg_*.py, cls_*.txt (SCLIP's). PAMR is on by default there, and in its README's results.
# Without it: --cfg-options model.test_cfg.pamr=None
model = dict(
    data_preprocessor=dict(input_size=None, size_divisor=None),
    decode_head=dict(templates='imagenet', feature_size=None),
    test_cfg=dict(
        mode='slide',
        crop_size=(224, 224),
        stride=(112, 112),
        resize_directly=False,
        logit_scale=40.0,
        pamr=dict(dilations=(8, 16), steps=10),
    ),
)
resize = dict(type='Resize', scale=(2048, 336), keep_ratio=True)
# Short sides and test_cfg replace the values above.
benchmarks = dict(
    pascal_voc20=dict(vocabulary='voc20_sclip.json', test_cfg=dict(mode='whole')),
    pascal_voc21=dict(vocabulary='voc21_sclip.json', test_cfg=dict(mode='whole', threshold=0.1)),
    pascal_context59=dict(vocabulary='context59_sclip.json'),
    pascal_context60=dict(vocabulary='context60.json', test_cfg=dict(threshold=0.1)),
    # Without 'bed' among the background words: it is a class.
    coco_object=dict(vocabulary='coco_object_sclip.json', test_cfg=dict(threshold=0.1)),
    coco_stuff164k=dict(vocabulary='coco_stuff171_sclip.json'),
    cityscapes=dict(vocabulary='cityscapes_sclip.json', short_side=560),
    ade20k=dict(vocabulary='ade150_sclip.json'),
)
