"""Start of ``langseg serve``: what cannot be served is reported before anything is loaded."""

import socket

import pytest

from mmseg_langseg.cli.commands import _main
from mmseg_langseg.web.listen import listen


@pytest.mark.parametrize(
    ('host', 'message'),
    [
        ('192.0.2.1', r"cannot listen at '192\.0\.2\.1', port 0: .*; see --host and --port$"),
        ('no such host', r"cannot listen at 'no such host', port 0: .*; see --host and --port$"),
    ],
)
def test_addresses_of_no_machine_are_named(host, message):
    with pytest.raises(OSError, match=message):
        listen(host, 0)


def test_the_port_is_free_or_named(monkeypatch):
    monkeypatch.setattr('mmseg_langseg.cli.serve.find_spec', lambda name: True)
    with listen('127.0.0.1', 0) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(('127.0.0.1', port)).close()
        with pytest.raises(OSError, match=f'^port {port} is in use; give another with --port$'):
            _main(['serve', '--port', str(port)])


def test_options_are_checked_at_once(monkeypatch):
    monkeypatch.setattr('mmseg_langseg.cli.serve.find_spec', lambda name: True)
    with pytest.raises(FileNotFoundError, match="Config file 'nothing' does not exist"):
        _main(['serve', '--model', 'nothing'])
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint file 'nothing\.pth'"):
        _main(['serve', '--weights', 'nothing.pth'])
    with pytest.raises(SystemExit):
        _main(['serve', '--port', '70000'])


def test_a_missing_gradio_is_named(monkeypatch):
    monkeypatch.setattr('mmseg_langseg.cli.serve.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "mmseg_langseg\[web\]"'):
        _main(['serve'])
