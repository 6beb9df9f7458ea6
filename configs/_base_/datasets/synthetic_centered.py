# The bundled synthetic dataset, tested with centered logits: a label-free calibration.
_base_ = './synthetic.py'
test_hooks = [
    dict(
        type='LogitCenteringHook',
        dataset=dict(
            type='SyntheticScenesDataset',
            split='train',
            num_scenes=400,
            pipeline={{_base_.test_pipeline}},
        ),
    )
]
