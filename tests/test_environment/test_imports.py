"""Imports that fail or crash, in real processes with a torch that does so."""

import os

import pytest

from mmseg_langseg.environment import imports
from tests.scripts import load_script

CRASH = 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n'


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    ('code', 'error'),
    [
        (CRASH, 'the process crashed with SIGSEGV'),
        (
            'raise OSError("libcudart.so.12: cannot\\nopen")',
            'OSError: libcudart.so.12: cannot open',
        ),
        ('raise ImportError("No module named x")', 'No module named x'),
        ('import os\nos._exit(3)', 'the process ended with status 3'),
        ('import time\ntime.sleep(60)', 'not finished after 1 s'),
    ],
)
def test_a_torch_that_cannot_be_imported(code, error, tmp_path, monkeypatch):
    (tmp_path / 'torch.py').write_text(code)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    if 'sleep' in code:
        monkeypatch.setattr(imports, '_TIMEOUT', 1)
    section, facts = imports.check_imports()
    assert facts == {}
    (problem,) = section.problems
    assert problem == (
        f'torch cannot be imported ({error}): install it again '
        '(https://pytorch.org/get-started/locally)'
    )


def test_what_torch_and_this_package_say():
    probe = load_script('mmseg_langseg/environment/probes/probe_imports.py')
    facts = probe.describe_torch()
    assert len(facts['gpus']) == 0 or facts['available']
    facts = probe.describe_package()
    assert facts['weights']['embedded'] is None
    assert facts['weights']['clip-vit-b16']['url'].startswith('https://huggingface.co/timm/')
    # The tests set it, and so no request is sent.
    assert os.environ['HF_HUB_OFFLINE'] == '1'
    assert set(facts['hosts'].values()) <= {'HF_HUB_OFFLINE is set'}
