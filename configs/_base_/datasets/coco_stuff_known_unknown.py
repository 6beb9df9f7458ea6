# COCO-Stuff 164k validation, 171 classes, 156 of them known.
_base_ = ['./coco_stuff164k.py', './maskclip_test.py', '../splits/coco_stuff171.py']
vocabulary = 'coco_stuff171_maskclip.json'
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='KnownUnknownIoUMetric', known={{_base_.known}}, unknown={{_base_.unknown}}
)
test_evaluator = val_evaluator
