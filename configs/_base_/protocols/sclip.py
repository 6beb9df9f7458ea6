# Test protocol of SCLIP, from its code (wangf3014/SCLIP, revision b56bd30): clip_segmentor.py and
# configs/cfg_*.py, cls_*.txt.
model = dict(
    data_preprocessor=dict(input_size=None, size_divisor=None),
    decode_head=dict(templates='imagenet', feature_size=None),
    test_cfg=dict(mode='slide', crop_size=(224, 224), stride=(112, 112), logit_scale=40.0),
)
resize = dict(type='Resize', scale=(2048, 336), keep_ratio=True)
# Short sides and test_cfg replace the values above.
benchmarks = dict(
    pascal_voc20=dict(vocabulary='voc20_sclip.json'),
    pascal_voc21=dict(
        vocabulary='voc21_sclip.json',
        test_cfg=dict(logit_scale=65.0, threshold=0.1, area_threshold=0.1),
    ),
    pascal_context59=dict(vocabulary='context59_sclip.json'),
    pascal_context60=dict(
        vocabulary='context60.json', test_cfg=dict(logit_scale=50.0, threshold=0.1)
    ),
    # Without 'bed' among the background words: it is a class.
    coco_object=dict(
        vocabulary='coco_object_sclip.json', test_cfg=dict(logit_scale=50.0, threshold=0.1)
    ),
    coco_stuff164k=dict(vocabulary='coco_stuff171_sclip.json', short_side=448),
    cityscapes=dict(vocabulary='cityscapes_sclip.json', short_side=560),
    ade20k=dict(vocabulary='ade150_sclip.json'),
)
