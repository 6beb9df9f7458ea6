# Full ADE20K validation, 847 classes.
_base_ = './segmentation_test_wide.py'
vocabulary = 'ade847.json'
val_dataloader = dict(
    dataset=dict(
        type='ADE20K847Dataset',
        data_root='data/ade/ADE20K_2021_17_01',
        data_prefix=dict(
            img_path='images_847/validation', seg_map_path='annotations_847/validation'
        ),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
