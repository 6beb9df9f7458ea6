# ADE20K validation, 150 classes, 135 of them known.
_base_ = ['./ade20k.py', './maskclip_test.py', '../splits/ade150.py']
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='KnownUnknownIoUMetric', known={{_base_.known}}, unknown={{_base_.unknown}}
)
test_evaluator = val_evaluator
