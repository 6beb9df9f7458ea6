import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import constants

from mmseg_langseg.models import clip_download
from mmseg_langseg.models.clip_download import download_clip

ROOT = Path(__file__).resolve().parents[2]
URL = {'url': 'https://weights.example/clip/tiny.pt'}
HUB = {'hf_hub': 'someone/tiny-clip/'}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Empty home folder, with huggingface_hub in online mode."""
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    for name in ('http_proxy', 'https_proxy', 'all_proxy', 'HTTPS_PROXY', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def use(monkeypatch, config, answer=None):
    """Register one tag with open_clip, and mock the response of its host."""
    monkeypatch.setattr(clip_download, 'get_pretrained_cfg', lambda arch, tag: config)
    asked, downloaded = [], []

    def urlopen(request, timeout):
        asked.append((request.full_url, timeout))
        if answer is not None:
            raise answer

    def download_pretrained(config):
        downloaded.append(config)
        return 'downloaded.pt'

    monkeypatch.setattr(urllib.request, 'urlopen', urlopen)
    monkeypatch.setattr(clip_download, 'download_pretrained', download_pretrained)
    return asked, downloaded


@pytest.mark.parametrize(
    ('config', 'file'),
    [
        (URL, 'https://weights.example/clip/tiny.pt'),
        (HUB, 'someone/tiny-clip/resolve/main/open_clip_model.safetensors'),
        ({'hf_hub': 'a/b/model.bin'}, 'a/b/resolve/main/model.safetensors'),
    ],
)
def test_without_network_the_error_names_the_file_and_the_option(monkeypatch, config, file):
    answer = urllib.error.URLError('no route to host')
    asked, downloaded = use(monkeypatch, config, answer)
    with pytest.raises(RuntimeError) as error:
        download_clip('Tiny-quickgelu', 'Tiny', 'openai')
    for part in (
        "'openai' of 'Tiny-quickgelu'",
        'no route to host',
        file,
        '--cfg-options model.clip.pretrained=PATH',
        'configs/pixelclip/resnet_synthetic.py',
    ):
        assert part in str(error.value)
    assert not downloaded
    ((host, timeout),) = asked
    assert host in ('https://weights.example', 'https://huggingface.co') and timeout <= 5


def test_offline_mode_sends_no_request(monkeypatch):
    asked, downloaded = use(monkeypatch, HUB)
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    with pytest.raises(RuntimeError, match='HF_HUB_OFFLINE is set'):
        download_clip('Tiny', 'Tiny', 'laion')
    assert not asked and not downloaded


@pytest.mark.parametrize(
    'answer',
    [
        None,
        urllib.error.HTTPError('https://weights.example', 403, 'Forbidden', None, None),
        urllib.error.URLError(ssl.SSLCertVerificationError('unknown issuer')),
    ],
)
def test_a_host_that_answers_is_downloaded_from(monkeypatch, answer):
    _, downloaded = use(monkeypatch, URL, answer)
    assert download_clip('Tiny', 'Tiny', 'laion') == 'downloaded.pt'
    assert downloaded == [URL]


def test_cached_files_need_no_network(monkeypatch, home):
    asked, downloaded = use(monkeypatch, HUB, OSError('no network'))
    snapshot = home / 'hub' / 'models--someone--tiny-clip' / 'snapshots' / 'abc'
    snapshot.mkdir(parents=True)
    (snapshot / 'open_clip_pytorch_model.bin').write_bytes(b'weights')
    (snapshot.parents[1] / 'refs').mkdir()
    (snapshot.parents[1] / 'refs' / 'main').write_text('abc')
    monkeypatch.setattr(
        clip_download.huggingface_hub,
        'try_to_load_from_cache',
        lambda *names: _in_cache(*names, home / 'hub'),
    )
    assert download_clip('Tiny', 'Tiny', 'laion') == str(snapshot / 'open_clip_pytorch_model.bin')
    assert not asked and not downloaded


_from_cache = clip_download.huggingface_hub.try_to_load_from_cache


def _in_cache(repository, file, folder):
    return _from_cache(repository, file, cache_dir=folder)


def test_file_of_a_url_in_the_cache_is_left_to_open_clip(monkeypatch, home):
    asked, _ = use(monkeypatch, URL, OSError('no network'))
    (home / '.cache' / 'clip').mkdir(parents=True)
    (home / '.cache' / 'clip' / 'tiny.pt').write_bytes(b'weights')
    assert download_clip('Tiny', 'Tiny', 'laion') == 'downloaded.pt'
    assert not asked


def test_failed_download_names_its_reason_and_the_way_out(monkeypatch):
    use(monkeypatch, URL)

    def fail(config):
        raise OSError('connection reset')

    monkeypatch.setattr(clip_download, 'download_pretrained', fail)
    with pytest.raises(RuntimeError, match=r'(?s)connection reset.*tiny\.pt.*pretrained=PATH'):
        download_clip('Tiny', 'Tiny', 'laion')


@pytest.mark.multiprocess
def test_demo_without_network_ends_in_one_message(home, tmp_path):
    from PIL import Image

    Image.new('RGB', (8, 8)).save(tmp_path / 'photo.png')
    command = [
        sys.executable, str(ROOT / 'demo' / 'image_demo.py'), str(tmp_path / 'photo.png'),
        str(ROOT / 'configs' / 'pixelclip' / 'vit-b16_coco.py'), '--texts', 'cat; dog',
    ]  # fmt: skip
    # Nothing listens there: the connection is refused, as on a machine without network.
    env = {**os.environ, 'HOME': str(home), 'PYTHONPATH': str(ROOT), 'HF_HUB_OFFLINE': '0'}
    env.update(https_proxy='http://127.0.0.1:9', http_proxy='http://127.0.0.1:9')
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert 'model.clip.pretrained=PATH' in text and 'Traceback' not in text
    assert len(text.splitlines()) <= 5, text
    assert 'Retrying' not in text
