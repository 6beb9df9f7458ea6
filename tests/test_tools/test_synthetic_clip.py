"""The scripts that made the embedded CLIPs."""

import subprocess
import sys

import torch

from tests.scripts import ROOT


def run(script, *args):
    return subprocess.run(
        [sys.executable, ROOT / 'tools' / script, *map(str, args)],
        capture_output=True,
        text=True,
    )


def test_train_then_teach_words(tmp_path):
    path = tmp_path / 'clip.pth'
    pool = ['--pool-size', 250, '--pool-dir', tmp_path, '--threads', 1]
    done = run('train_synthetic_clip.py', '--out', path, '--steps', 2, '--test-scenes', 40, *pool)
    assert done.returncode == 0, done.stderr
    before = torch.load(path, weights_only=True)
    teach = ['teach_synthetic_words.py', path, '--steps', 2, '--batch-size', 16, *pool]
    done = run(*teach)
    assert done.returncode == 0, done.stderr
    after = torch.load(path, weights_only=True)
    assert all(torch.equal(after['state_dict'][k], v) for k, v in before['state_dict'].items())
    known, all_words = before['token_embedding'], after['token_embedding']
    count = len(known['ids'])
    assert len(all_words['ids']) == len(all_words['rows']) == count + 92
    assert torch.equal(all_words['rows'][:count], known['rows'])
    assert torch.unique(all_words['ids']).numel() == count + 92
    taught = all_words['rows'][count:]
    assert (taught - known['rows'].float().mean(0)).abs().max() > 1e-3
    done = run(*teach)
    assert done.returncode != 0 and 'nothing to teach' in done.stderr
