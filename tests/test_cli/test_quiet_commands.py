"""The complete output of the main commands: nothing that a user cannot act on."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.scripts import ROOT

CONFIG = 'pixelclip/resnet_synthetic'
# One process for all, as imports take most of the time.
RUN = """
import os, runpy, sys
sys.stdout.reconfigure(line_buffering=True)
os.dup2(1, 2)
for line in sys.argv[1].splitlines():
    print('>', line, flush=True)
    script, *arguments = line.split('|')
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name='__main__')
"""
SMALL = [
    '--work-dir', 'runs', '--cfg-options', 'train_cfg.max_iters=2', 'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2', 'train_dataloader.batch_size=2',
    'train_dataloader.dataset.num_scenes=8', 'val_dataloader.dataset.num_scenes=2',
]  # fmt: skip
TEST = ['--work-dir', 'tests', '--cfg-options', 'test_dataloader.dataset.num_scenes=2']
COMMANDS = {
    'langseg segment': ['photos', '--texts', 'ring; star', '--out', 'segmented', '--quiet',
                        '--model', 'embedded'],
    'demo/image_demo.py': ['photos/1.png', CONFIG, '--texts', 'ring; star', '--out', 'demo.png'],
    'tools/generate_masks.py': ['photos', 'masks'],
    'tools/train.py': [CONFIG, *SMALL],
    'tools/test.py': [CONFIG, 'runs/iter_2.pth', *TEST],
}  # fmt: skip
SMALL_CLIP = (
    r"warning: The small CLIP 'embedded:clip_resnet_tiny_seed0' knows only .* on photos are "
    r'meaningless\. .*--model clip-vit-b16 .*'
)
PROGRESS = re.compile(r'felzenszwalb: +\d+%\|.*\| [012]/2 \[.*image/s\]')
LOGGED = r'\d\d/\d\d \d\d:\d\d:\d\d - mmengine - INFO - '
TABLE = [LOGGED + 'per class results:', LOGGED, r'\+---.*', r'\| +Class .*', r'\+---.*']
TABLE += [r'\| .*'] * 17 + [r'\+---.*']
VOCABULARY = LOGGED + "Vocabulary: 17 classes of SyntheticScenesDataset, templates 'single'\\."
LOG_FILE = LOGGED + r'Environment, config and hooks are in .*\.log'
EXPECTED = {
    'langseg segment': [SMALL_CLIP, '2 images segmented; results in segmented'],
    'demo/image_demo.py': [SMALL_CLIP, r'wrote demo\.png'],
    'tools/generate_masks.py': [
        r'masks: 2 images, 2 made, 0 kept, \d+ masks, 0 could not be used, .* images/s',
    ],
    'tools/train.py': [
        LOG_FILE,
        LOGGED + '518,209 of 4,297,457 parameters are trained, the others are frozen.',
        LOGGED + 'Checkpoints will be saved to .*/runs.',
        LOGGED + 'Saving checkpoint at 2 iterations',
        VOCABULARY,
        *TABLE,
        LOGGED + r'Iter\(val\) \[1/1\] +aAcc: .*',
    ],
    'tools/test.py': [
        LOG_FILE,
        LOGGED + 'Load checkpoint from runs/iter_2.pth',
        VOCABULARY,
        *TABLE,
        LOGGED + r'Iter\(test\) \[1/1\] +aAcc: .*',
    ],
}


@pytest.mark.multiprocess
def test_complete_output(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / 'photos').mkdir()
    for number in (1, 2):
        pixels = rng.integers(0, 256, (4, 5, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(pixels).save(tmp_path / 'photos' / f'{number}.png')
    script = tmp_path / 'langseg'
    script.write_text('from mmseg_langseg.cli import main\nmain()\n')
    paths = {name: str(ROOT / name) for name in COMMANDS} | {'langseg segment': f'{script}|segment'}
    lines = ['|'.join([paths[name], *arguments]) for name, arguments in COMMANDS.items()]
    done = subprocess.run(
        [sys.executable, '-c', RUN, '\n'.join(lines)],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    parts = done.stdout.split('> ')[1:]
    assert len(parts) == len(EXPECTED), done.stdout
    for (name, patterns), part in zip(EXPECTED.items(), parts, strict=True):
        printed = [line for line in part.splitlines()[1:] if line and not PROGRESS.fullmatch(line)]
        assert len(printed) == len(patterns), (name, part)
        for line, pattern in zip(printed, patterns, strict=True):
            assert re.fullmatch(pattern, line), (name, line, pattern)
