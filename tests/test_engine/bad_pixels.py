"""Transform that corrupts one image, importable by training runs in other processes."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SpoilImage(BaseTransform):
    """Sets the pixels of one file to NaN."""

    def __init__(self, name):
        self.name = name

    def transform(self, results):
        results['img'] = results['img'].astype(np.float32)
        if results['img_path'].endswith(self.name):
            results['img'][:] = np.nan
        return results


def spoil(config, name):
    """Add the transform to a config file and turn off shuffling."""
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
