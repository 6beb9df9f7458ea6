# Zero-shot classification of ground-truth masks (Table 2) on COCO-Stuff; --benchmark for other test
# sets, --masks for masks of SA-1B-style files. The same as --masks ground_truth for other configs.
_base_ = [
    '../_base_/models/pixelclip_convnext-b.py',
    '../_base_/datasets/coco_stuff164k.py',
    '../_base_/default_runtime.py',
]
model = dict(test_cfg=dict(classify_masks=True))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    {{_base_.test_resize}},
    dict(type='LoadLabelMap'),
    dict(type='LoadMaskProposals'),
    dict(
        type='PackSegInputs',
        meta_keys=(
            *('img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor'),
            *('flip', 'flip_direction', 'reduce_zero_label', 'mask_rles', 'mask_classes'),
        ),
    ),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='MaskClassificationMetric'),
]
val_dataloader = val_evaluator = val_cfg = tta_pipeline = None
