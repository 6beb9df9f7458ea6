import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from mmengine.config import Config
from mmseg.registry import HOOKS

from mmseg_langseg.engine.hooks import MainProcessLoggerHook
from tests.distributed import run_processes
from tests.scripts import ROOT


def log_figures(rank, folder):
    hook = MainProcessLoggerHook()
    hook.json_log_path = f'{rank}.json'
    processor = SimpleNamespace(get_log_after_epoch=lambda *_, **__: (dict(mIoU=1.5), 'text'))
    loader = SimpleNamespace(dataset=())
    runner = SimpleNamespace(
        log_processor=processor, logger=Mock(), log_dir=str(folder), test_dataloader=[loader]
    )
    hook.after_test_epoch(runner)
    return rank


@pytest.mark.multiprocess
def test_of_two_processes_one_writes_the_figures(tmp_path):
    run_processes(log_figures, 2, str(tmp_path))
    assert [path.name for path in Path(tmp_path).iterdir()] == ['0.json']
    assert json.loads((tmp_path / '0.json').read_text()) == dict(mIoU=1.5)


def test_configs_log_with_it():
    hook = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py').default_hooks.logger
    assert type(HOOKS.build(hook)) is MainProcessLoggerHook
