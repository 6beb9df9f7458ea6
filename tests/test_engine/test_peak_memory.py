"""Peak memory, in a process of its own: that of the test run may have been larger before."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mmseg_langseg.engine.peak_memory as module

STATUS = Path('/proc/self/status')
MEASURE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location('peak_memory', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
peaks = [module.peak_memory('cpu')]
block = bytearray(b'x') * (256 * 2**20)
peaks.append(module.peak_memory('cpu'))
del block
module.reset_peak_memory('cpu')
peaks.append(module.peak_memory('cpu'))
block = bytearray(b'x') * (128 * 2**20)
peaks.append(module.peak_memory('cpu'))
print(json.dumps(peaks))
"""
RESET = """
block = bytearray(b'x') * (256 * 2**20)
del block
open('/proc/self/clear_refs', 'w').write('5')
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(int(status['VmHWM'].split()[0]) - int(status['VmRSS'].split()[0]) < 64 * 1024)
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, '-c', code, *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def test_peak_grows_and_starts_again():
    start, first, reset, second = json.loads(run(MEASURE, module.__file__))
    assert 250 < first - start < 300
    # Some containers ignore a reset: then the peak remains that since the start of the process.
    if run(RESET) == 'True':
        assert reset - start < 60
        assert 120 < second - reset < 160
    else:
        assert first == reset == second


@pytest.mark.skipif(not STATUS.exists(), reason='only Linux has this file')
def test_system_without_reset(monkeypatch, tmp_path):
    monkeypatch.setattr(module, '_CLEAR_PEAK', tmp_path)  # a folder cannot be written
    module.reset_peak_memory('cpu')
    assert module.peak_memory('cpu') > 50
