import pytest
import torch
from mmengine.hooks import Hook

from mmseg_langseg.engine.hooks import MatmulPrecisionHook
from tests.configs import CONFIGS, load
from tests.test_engine.runners import VOCABULARY, build_runner


class Seen(Hook):
    def __init__(self):
        self.values = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.values.append(torch.get_float32_matmul_precision())


@pytest.mark.parametrize('precision', ['high', 'highest'])
def test_holds_for_the_run_and_no_longer(precision, tmp_path):
    before = torch.get_float32_matmul_precision()
    runner = build_runner(tmp_path / precision, hooks=[VOCABULARY], iters=2)
    seen = Seen()
    runner.register_hook(MatmulPrecisionHook(precision))
    runner.register_hook(seen)
    runner.train()
    assert seen.values == [precision] * 2
    assert torch.get_float32_matmul_precision() == before


def test_unknown_precision():
    with pytest.raises(ValueError, match=r"precision='tf32'.*'high'"):
        MatmulPrecisionHook('tf32')


@pytest.mark.parametrize('name', [n for n in CONFIGS if n.startswith('pixelclip/')])
def test_pixelclip_computes_in_tf32_as_the_official_code(name):
    hooks = {hook.type: hook for hook in load(name).custom_hooks}
    if 'synthetic' not in name:
        assert hooks['MatmulPrecisionHook'].precision == 'high'
