# Tests a trained (or, without a checkpoint, the untrained) model on one's own labeled photos.
# Their class names are in classes.txt, which the test reads; tools without our hooks, such as
# MMSegInferencer, need model.decode_head.vocabulary.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/photos_test.py',
    '../_base_/default_runtime.py',
]
