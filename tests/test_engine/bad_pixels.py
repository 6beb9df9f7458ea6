"""A transform that spoils one image, for trainings in this process and in others."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SpoilImage(BaseTransform):
    """Makes the pixels of one file NaN."""

    def __init__(self, name):
        self.name = name

    def transform(self, results):
        results['img'] = results['img'].astype(np.float32)
        if results['img_path'].endswith(self.name):
            results['img'][:] = np.nan
        return results


def spoil(config, name):
    """Adds the transform to a config file, whose batches then come in the order of the files."""
    text = config.read_text(encoding='utf-8')
    text += f"""
custom_imports = dict(imports=['mmseg_langseg', 'tests.test_engine.bad_pixels'])
train_pipeline.insert(2, dict(type='SpoilImage', name={name!r}))
train_dataloader['dataset']['pipeline'] = train_pipeline
train_dataloader['sampler']['shuffle'] = False
default_hooks = dict(checkpoint=dict(interval=1))
"""
    config.write_text(text, encoding='utf-8')
    return config
