import gc
import itertools
import os

# Set before torch is imported: many small operations on few cores, several parallel processes.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
# No test may access the network; open_clip and timm load through huggingface_hub.
os.environ['HF_HUB_OFFLINE'] = '1'

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

TINY_CONFIG = """
_base_ = [{runtime!r}]
crop = (32, 32)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
train_pipeline = [*load, dict(type='RandomCrop', crop_size=crop), dict(type='PackSegInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
                 dict(type='PackSegInputs')]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
        [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]])]
data = dict(type='BaseSegDataset', data_root={data!r}, img_suffix='.png',
            metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0], [255, 0, 0]]),
            data_prefix=dict(img_path='images', seg_map_path='labels'))
train_dataloader = dict(batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler'),
                        dataset=dict(data, pipeline=train_pipeline))
val_dataloader = dict(batch_size=1, num_workers=0,
                      sampler=dict(type='DefaultSampler', shuffle=False),
                      dataset=dict(data, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=100)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
param_scheduler = []
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
# Gradients overflow in batch norm of 1 x 1 pixels if both images of a batch are the same crop.
norm_cfg = dict(type='GN', num_groups=1)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.] * 3, std=[64.] * 3,
                           size=crop, pad_val=0, seg_pad_val=255, bgr_to_rgb=True),
    backbone=dict(type='FastSCNN', downsample_dw_channels=(4, 4), global_in_channels=8,
                  global_block_channels=(8, 8, 8), global_block_strides=(2, 2, 1),
                  global_out_channels=8, higher_in_channels=8, lower_in_channels=8,
                  fusion_out_channels=8, norm_cfg=norm_cfg),
    decode_head=dict(type='FCNHead', in_channels=8, channels=4, num_convs=1, num_classes=2,
                     in_index=-1, norm_cfg=norm_cfg),
    test_cfg=dict(mode='whole'))
"""


@pytest.fixture
def tiny_config(tmp_path):
    """A config of stock MMSegmentation components on five small images: runs in seconds."""
    rng = np.random.default_rng(0)
    data = tmp_path / 'data'
    for folder, shape in (('images', (40, 48, 3)), ('labels', (40, 48))):
        (data / folder).mkdir(parents=True)
        for number in range(5):
            top = 255 if folder == 'images' else 2
            array = rng.integers(0, top, shape, dtype=np.uint8)
            Image.fromarray(array).save(data / folder / f'{number}.png')
    runtime = ROOT / 'configs' / '_base_' / 'default_runtime.py'
    path = tmp_path / 'tiny.py'
    path.write_text(TINY_CONFIG.format(runtime=str(runtime), data=str(data)), encoding='utf-8')
    return path


@pytest.fixture(autouse=True, scope='session')
def _quick_runs():
    """Speed up tiny training runs, which spend most of their time outside of training.

    MMEngine formats the config with yapf six times per run, and collects garbage for each dataset;
    objects created by the imports are frozen. Runs started within the same second would share
    their name, so each is numbered. Scripts that tests start run unmodified.
    """
    from mmengine.runner import Runner

    setup_env, number = Runner.setup_env, itertools.count()

    def unformatted(text, **_):
        return text, True

    def numbered(runner, env_cfg):
        setup_env(runner, env_cfg)
        runner._timestamp += f'_{next(number)}'

    with pytest.MonkeyPatch.context() as patch:
        # Newer MMEngine imports the function at each call, the classic stack's once at import.
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', unformatted)
        patch.setattr('mmengine.config.config.FormatCode', unformatted, raising=False)
        patch.setattr(Runner, 'setup_env', numbered)
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()


@pytest.fixture(autouse=True)
def _mmseg_scope():
    """Let configs name registered types without a scope, as under a Runner."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')


@pytest.fixture(autouse=True)
def _torch_settings():
    """Restore the settings of torch that commands and hooks change for the whole process.

    A process that is forked while torch uses several threads waits for ever in its first loop.
    """
    import torch

    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
