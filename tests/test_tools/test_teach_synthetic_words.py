"""Script that added words to the vocabulary of the bundled CLIPs."""

import sys

import pytest
import torch

from mmseg_langseg.models.clip_loader import ASSETS
from tests.scripts import ROOT, load_script


def test_teaching_words_changes_nothing_else(tmp_path, monkeypatch):
    path, out = tmp_path / 'clip.pth', tmp_path / 'taught' / 'clip.pth'
    before = torch.load(ASSETS / 'clip_resnet_tiny_seed0.pth', weights_only=True)
    known = before['token_embedding']
    count = len(known['ids']) - 92
    known['ids'], known['rows'] = known['ids'][:count], known['rows'][:count]
    torch.save(before, path)
    path.with_suffix('.log.jsonl').write_text('{"seed": 0}\n')
    content = path.read_bytes()
    options = ['--steps', 2, '--batch-size', 16, '--pool-size', 250, '--pool-dir', tmp_path]
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'synthetic')
    script = load_script('tools/synthetic/teach_words.py')
    arguments = ['teach', path, out, *options, '--threads', torch.get_num_threads()]
    monkeypatch.setattr(sys, 'argv', [str(argument) for argument in arguments])
    script.main()
    assert path.read_bytes() == content
    first, second = out.with_suffix('.log.jsonl').read_text().splitlines()
    assert first == '{"seed": 0}' and 'image_map_by_synonyms' in second
    after = torch.load(out, weights_only=True)
    assert all(torch.equal(after['state_dict'][k], v) for k, v in before['state_dict'].items())
    all_words = after['token_embedding']
    assert len(all_words['ids']) == len(all_words['rows']) == count + 92
    assert torch.equal(all_words['rows'][:count], known['rows'])
    assert torch.unique(all_words['ids']).numel() == count + 92
    taught = all_words['rows'][count:]
    assert (taught - known['rows'].float().mean(0)).abs().max() > 1e-3
    for taken in (path, out):
        with pytest.raises(FileExistsError, match=r'clip\.pth.*nothing was written'):
            script.main([str(path), str(taken)])
    monkeypatch.setattr(sys, 'argv', ['teach', str(out), str(tmp_path / 'more.pth'), *sys.argv[3:]])
    with pytest.raises(SystemExit, match='nothing to teach'):
        script.main()
