# Test a model trained with r50_photos.py on your own labeled photos, with the names in classes.txt
# (layout: configs/_base_/datasets/photos_test.py). For separate IoU of known and unknown classes:
#   --cfg-options test_evaluator.type=KnownUnknownIoUMetric "test_evaluator.unknown=[cat,red fox]"
# MMSegInferencer and other tools do not read classes.txt: set model.decode_head.vocabulary.
_base_ = [
    '../_base_/models/clips4_r50.py',
    '../_base_/datasets/photos_test.py',
    '../_base_/datasets/maskclip_test.py',
    '../_base_/default_runtime.py',
]
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
