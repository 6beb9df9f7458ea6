import importlib

from tests.scripts import ROOT


def test_all_orders_read_all_samples(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    tool = importlib.import_module('benchmark_reading')
    options = {'folder': tmp_path, 'shards': 3, 'samples': 4, 'num-shards': 2, 'window': 3}
    given = [str(word) for key, value in options.items() for word in (f'--{key}', value)]
    times = tool.main([*given, '--kilobytes', '2', '1', '--repeats', '1'])
    assert [*times] == [(s, o) for s in ('files', 'tars') for o in ('stored', 'window', 'random')]
    printed = capsys.readouterr().out
    assert '3 shards of 4 samples of 3 kB' in printed and printed.count('\ntars') == 3
    assert not list(tmp_path.iterdir())
    lines = tool.report({('tars', 'random'): 0.5}, samples=12, sample_bytes=10**6).splitlines()
    assert lines[1].split() == ['tars', 'random', '24', '24']
