"""Download open_clip's pretrained weights."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
from filelock import FileLock
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError
from open_clip.pretrained import download_pretrained, get_pretrained_cfg

from mmseg_langseg.fileio import host_obstacle

HUB = 'hf-hub:'
_HUB_FILES = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')


@dataclass(frozen=True)
class ClipSource:
    """Where the weights of an open_clip tag are.

    Attributes:
        file: File in the cache; None if it has to be downloaded.
        urls: Addresses of the weights.
        host: Host that the download needs, e.g. ``https://huggingface.co``.
    """

    file: str | None
    urls: tuple[str, ...]
    host: str


def find_clip(arch: str, tag: str) -> ClipSource:
    """Return where the weights of a model and tag of open_clip are, without network access."""
    config = get_pretrained_cfg(arch, tag) or get_pretrained_cfg(
        arch.removesuffix('-quickgelu'), tag
    )
    file = _cached(config) or _cached_from_url(config)
    return ClipSource(file, tuple(_urls(config)), _host(config))


def download_clip(arch: str, base: str, tag: str) -> str:
    """Return the path of the weights of an open_clip tag, downloading them if not cached.

    Args:
        arch: Model name as given by the user.
        base: The name without ``-quickgelu``.
        tag: Pretrained tag that open_clip lists for one of the two names.

    Raises:
        RuntimeError: The weights are not in the cache and cannot be downloaded. The message says
            which file to fetch manually and which option to set to its path.
    """
    config = get_pretrained_cfg(arch, tag) or get_pretrained_cfg(base, tag)
    cached = _cached(config)
    if cached is not None:
        return cached
    name = f"The weights '{tag}' of '{arch}' are not on this machine"
    # huggingface_hub would retry for a minute, with a message for each attempt.
    obstacle = _obstacle(config)
    if obstacle:
        raise RuntimeError(f'{name} and cannot be downloaded: {obstacle}.\n{_way_out(config)}')
    try:
        folder = _url_cache()
        folder.mkdir(parents=True, exist_ok=True)
        # open_clip writes in place: without the lock a second process could read a partial file.
        with FileLock(str(folder / f'{base}-{tag}.lock')):
            return download_pretrained(config)
    except Exception as error:
        raise RuntimeError(
            f'{name}, and the download failed ({type(error).__name__}: {error}).\n'
            f'{_way_out(config)}'
        ) from error


def download_hub_weights(repository: str) -> str:
    """Return the path of the open_clip weights of a repository, downloading them if not cached.

    Raises:
        RuntimeError: They are not in the cache and cannot be downloaded.
    """
    for name in _HUB_FILES:
        found = huggingface_hub.try_to_load_from_cache(repository, name)
        if isinstance(found, str):
            return found
    try:
        return download_hub_file(repository, _HUB_FILES[0])
    except RuntimeError as error:
        if not isinstance(error.__cause__, EntryNotFoundError):
            raise
    return download_hub_file(repository, _HUB_FILES[1])


def download_hub_file(repository: str, name: str) -> str:
    """Return the path of a file of a Hugging Face repository, downloading it if not cached.

    Raises:
        RuntimeError: The file is not in the cache and cannot be downloaded.
    """
    found = huggingface_hub.try_to_load_from_cache(repository, name)
    if isinstance(found, str):
        return found
    place = f"'{name}' of the repository '{HUB}{repository}' is not on this machine"
    advice = (
        f'Fetch {constants.ENDPOINT}/{repository}/resolve/main/{name} on another machine, copy it '
        'to this one, and give the path of its folder instead of the repository.'
    )
    offline = constants.HF_HUB_OFFLINE
    obstacle = 'HF_HUB_OFFLINE is set' if offline else host_obstacle(constants.ENDPOINT)
    if obstacle:
        raise RuntimeError(f'{place} and cannot be downloaded: {obstacle}.\n{advice}')
    try:
        return huggingface_hub.hf_hub_download(repository, name)
    except Exception as error:
        raise RuntimeError(
            f'{place}, and the download failed ({type(error).__name__}: {error}).\n{advice}'
        ) from error


def _cached(config: dict) -> str | None:
    """Return the file in Hugging Face's cache; open_clip checks files from URLs itself."""
    for repository, file in _hub_files(config):
        found = huggingface_hub.try_to_load_from_cache(repository, file)
        if isinstance(found, str):
            return found
    return None


def _url_cache() -> Path:
    """Return the folder of open_clip's downloads from other hosts than Hugging Face."""
    return Path.home() / '.cache' / 'clip'


def _cached_from_url(config: dict) -> str | None:
    if config.get('hf_hub'):
        return None
    file = _url_cache() / os.path.basename(config['url'])
    return str(file) if file.is_file() else None


def _hub_files(config: dict) -> list[tuple[str, str]]:
    """Return repository and file names, in the order in which open_clip tries them."""
    if not config.get('hf_hub'):
        return []
    repository, file = os.path.split(config['hf_hub'])
    if not file:
        return [(repository, name) for name in _HUB_FILES]
    stem, suffix = os.path.splitext(file)
    safe = [f'{stem}.safetensors'] if suffix in ('.bin', '.pth') else []
    return [(repository, name) for name in (*safe, file)]


def _obstacle(config: dict) -> str | None:
    """Return why the host of the weights cannot be reached, within seconds; None if it can."""
    if config.get('hf_hub') and constants.HF_HUB_OFFLINE:
        return 'HF_HUB_OFFLINE is set'
    return None if _cached_from_url(config) else host_obstacle(_host(config))


def _host(config: dict) -> str:
    if config.get('hf_hub'):
        return constants.ENDPOINT
    return '{0.scheme}://{0.netloc}'.format(urlsplit(config['url']))


def _urls(config: dict) -> list[str]:
    urls = [
        f'{constants.ENDPOINT}/{repository}/resolve/main/{file}'
        for repository, file in _hub_files(config)[:1]
    ]
    return urls + ([config['url']] if config.get('url') else [])


def _way_out(config: dict) -> str:
    return (
        f'Fetch {" or ".join(_urls(config))} on another machine, copy it to this one, and give its '
        'path: --cfg-options model.clip.pretrained=PATH (in Python '
        "cfg_options={'model.clip.pretrained': 'PATH'}; in a config without model.clip, set each "
        '`pretrained`). '
        'To try the methods without any download, use configs/pixelclip/resnet_synthetic.py, '
        'which uses a small CLIP bundled with the package.'
    )
