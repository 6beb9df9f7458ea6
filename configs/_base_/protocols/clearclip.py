# Test protocol of ClearCLIP, from its code (mc-lan/ClearCLIP, revision ad68a40):
# clearclip_segmentor.py and configs/cfg_*.py, cls_*.txt.
model = dict(
    data_preprocessor=dict(input_size=None, size_divisor=None),
    decode_head=dict(templates='imagenet', feature_size=None),
    test_cfg=dict(mode='slide', crop_size=(448, 448), stride=(224, 224), logit_scale=50.0),
)
resize = dict(type='Resize', scale=(2048, 448), keep_ratio=True)
# test_cfg replaces the values above. The background has no words but 'background'.
benchmarks = dict(
    pascal_voc20=dict(vocabulary='voc20_clearclip.json'),
    pascal_voc21=dict(vocabulary='voc21_clearclip.json', test_cfg=dict(threshold=0.5)),
    pascal_context59=dict(vocabulary='context59_sclip.json'),
    pascal_context60=dict(vocabulary='context60.json', test_cfg=dict(threshold=0.15)),
    coco_object=dict(vocabulary='coco_object.json', test_cfg=dict(threshold=0.4)),
    coco_stuff164k=dict(vocabulary='coco_stuff171_sclip.json'),
    cityscapes=dict(vocabulary='cityscapes_sclip.json', test_cfg=dict(crop_size=(224, 224))),
    ade20k=dict(vocabulary='ade150_sclip.json'),
)
