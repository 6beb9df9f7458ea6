# PASCAL VOC 2012 validation, 20 classes, 15 of them known.
_base_ = ['./pascal_voc20.py', './maskclip_test.py', '../splits/voc20.py']
vocabulary = 'voc20_maskclip.json'
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='KnownUnknownIoUMetric', known={{_base_.known}}, unknown={{_base_.unknown}}
)
test_evaluator = val_evaluator
