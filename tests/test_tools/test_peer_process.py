import importlib

import pytest

from tests.scripts import ROOT

SIDE = """
import json, os, signal, sys
print(json.dumps({'peak': 5, 'resets': True}), flush=True)
for line in sys.stdin:
    if line == 'kill\\n':
        os.kill(os.getpid(), signal.SIGKILL)
    if line == 'exit\\n':
        sys.exit(3)
    print(json.dumps({'peak': 7, 'said': line.strip()}), flush=True)
"""


@pytest.fixture
def process(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    (tmp_path / 'side.py').write_text(SIDE)
    peer = importlib.import_module('peer_process').PeerProcess
    with peer(tmp_path / 'side.py', 'own', 'the side', tmp_path / 'settings.json') as process:
        yield process


def test_memory_is_counted_from_the_loaded_weights(process):
    assert process.loaded == 5 and process.resets
    assert process.ask('text') == {'peak': 7, 'said': 'text'}
    assert process.measure('image 0') == {'peak': 7, 'said': 'image 0', 'added': 2}


@pytest.mark.parametrize(
    ('command', 'message'),
    [('kill', r'the side: .* killed, as Linux does if memory'), ('exit', 'ended with status 3')],
)
def test_a_process_that_ends_is_reported(process, command, message):
    with pytest.raises(RuntimeError, match=message):
        process.ask(command)


def test_a_process_that_ended_between_two_commands_is_reported(process):
    process.process.kill()
    process.process.wait()
    with pytest.raises(RuntimeError, match='was killed'):
        process.ask('x' * 100_000)
