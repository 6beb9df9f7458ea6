"""The optimizer wrapper of ``--amp`` on each kind of device."""

import pytest
from mmengine.config import ConfigDict

from mmseg_langseg.apis import train


@pytest.mark.parametrize(
    ('device', 'capability', 'kind', 'expected'),
    [
        ('cpu', None, 'OptimWrapper', 'BFloat16OptimWrapper'),
        ('cuda', (8, 0), 'OptimWrapper', 'BFloat16OptimWrapper'),
        ('cuda', (7, 5), 'OptimWrapper', 'AmpOptimWrapper'),
        ('cuda', (8, 0), 'AmpOptimWrapper', 'AmpOptimWrapper'),
        ('cpu', None, 'AmpOptimWrapper', "has 'AmpOptimWrapper', and the device is 'cpu'"),
        ('mps', None, 'OptimWrapper', "not available on the device 'mps'"),
    ],
)
def test_mixed_precision_of_a_device(device, capability, kind, expected, monkeypatch):
    monkeypatch.setattr(train, 'get_device', lambda: device)
    monkeypatch.setattr(train.torch.cuda, 'get_device_capability', lambda: capability)
    cfg = ConfigDict(optim_wrapper=dict(type=kind))
    if ' ' in expected:
        with pytest.raises(ValueError, match=expected):
            train._enable_amp(cfg)
    else:
        train._enable_amp(cfg)
        assert cfg.optim_wrapper.type == expected
