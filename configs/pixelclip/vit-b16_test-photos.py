# Test a trained model (or, without a checkpoint, the untrained one) on your own labeled photos.
# Class names are read from classes.txt; tools without our hooks, such as MMSegInferencer, need
# model.decode_head.vocabulary.
_base_ = [
    '../_base_/models/pixelclip_vit-b16.py',
    '../_base_/datasets/photos_test.py',
    '../_base_/default_runtime.py',
]
