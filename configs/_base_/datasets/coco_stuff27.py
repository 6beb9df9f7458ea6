# COCO-Stuff validation, 27 coarse classes, on the label maps of COCO-Stuff 164k. All 5,000 images;
# PiCIE and STEGO test on 2,175 of them (docs/data.md).
_base_ = './segmentation_test.py'
vocabulary = 'coco_stuff27.json'
val_dataloader = dict(
    dataset=dict(
        type='COCOStuff27Dataset',
        data_root='data/coco_stuff164k',
        data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017'),
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
# Overrides of the test dataset for the labeled retrieval images (tools/test_unsupervised.py).
memory_split = dict(
    data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017')
)
