# Tests what r50_photos.py has trained on one's own labeled photos, with the names of classes.txt
# (layout: configs/_base_/datasets/photos_test.py). The IoU of known and unknown classes apart:
#   --cfg-options test_evaluator.type=KnownUnknownIoUMetric "test_evaluator.unknown=[cat,red fox]"
# Other tools than ours (MMSegInferencer) do not read classes.txt: model.decode_head.vocabulary.
_base_ = [
    '../_base_/models/clips4_r50.py',
    '../_base_/datasets/photos_test.py',
    '../_base_/datasets/maskclip_test.py',
    '../_base_/default_runtime.py',
]
tta_pipeline = {{_base_.maskclip_tta_pipeline}}
val_dataloader = dict(dataset=dict(pipeline={{_base_.maskclip_pipeline}}))
test_dataloader = val_dataloader
