"""Safe checkpoint loaders for MMEngine, which execute no code.

MMEngine reads checkpoints in many places: ``load_from``, ``resume``, ``init_cfg=dict(type=
'Pretrained')``, ``load_checkpoint``. All of them ask ``CheckpointLoader``, which takes the first
loader whose prefix, a regular expression, matches the name; prefixes are tried in reverse
alphabetical order. Those registered here come before all of MMEngine's own.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import (
    _process_mmcls_checkpoint,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from mmseg_langseg.fileio import read_checkpoint


@CheckpointLoader.register_scheme(prefixes='(?s:.*)')
def load_from_data_file(filename: str, map_location: Any = None) -> Any:
    """Read a local checkpoint, see :func:`~mmseg_langseg.fileio.read_checkpoint`."""
    checkpoint = read_checkpoint(filename, map_location)
    if isinstance(checkpoint, dict) and isinstance(checkpoint.get('meta'), dict):
        # Written by old versions: resuming would execute this text as a Python config.
        checkpoint['meta'].pop('config', None)
    return checkpoint


@CheckpointLoader.register_scheme(prefixes='https?://')
def load_from_data_url(filename: str, map_location: Any = None) -> Any:
    """Download a checkpoint to torch's cache, unless it is there, and read it.

    Raises:
        OSError: The download failed.
    """
    folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(urlparse(filename).path))
    # Processes of one machine share the cache; those on other machines download their own copy.
    if is_main_process():
        _download(filename, path)
    barrier()
    _download(filename, path)
    return load_from_data_file(path, map_location)


@CheckpointLoader.register_scheme(prefixes=['torchvision:/{2}', 'modelzoo:/{2}'])
def load_from_data_torchvision(filename: str, map_location: Any = None) -> Any:
    """Read weights published by torchvision."""
    return load_from_data_url(_look_up(filename, get_torchvision_models()), map_location)


@CheckpointLoader.register_scheme(prefixes=['open-mmlab:/{2}', 'openmmlab:/{2}'])
def load_from_data_openmmlab(filename: str, map_location: Any = None) -> Any:
    """Read weights published by OpenMMLab."""
    scheme, name = filename.split('://')
    name = get_deprecated_model_names().get(name, name)
    return load_from_data_url(_look_up(f'{scheme}://{name}', get_external_models()), map_location)


@CheckpointLoader.register_scheme(prefixes='mmcls:/{2}')
def load_from_data_mmcls(filename: str, map_location: Any = None) -> Any:
    """Read weights that MMClassification published."""
    checkpoint = load_from_data_url(_look_up(filename, get_mmcls_models()), map_location)
    return _process_mmcls_checkpoint(checkpoint)


@CheckpointLoader.register_scheme(prefixes=['pavi:/{2}', r'\S*(s3|petrel):/{2}'])
def refuse_remote_storage(filename: str, map_location: Any = None) -> Any:
    """Refuse weights that only MMEngine's own loaders can fetch, which run code in them.

    Raises:
        ValueError: Always; says what to do.
    """
    raise ValueError(
        f"Weights are not read from '{filename}': MMEngine's loader for this storage runs code in "
        'them. Download the file and give its path.'
    )


def _look_up(filename: str, urls: dict[str, str]) -> str:
    name = filename.split('://')[1]
    if name not in urls:
        raise ValueError(f"'{filename}' is unknown; known weights are e.g. {sorted(urls)[:5]}")
    return urls[name]


def _download(url: str, path: str) -> None:
    if os.path.isfile(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, path, progress=os.isatty(0))
    except OSError as error:
        raise OSError(
            f"Downloading '{url}' failed ({error}). Check the network, or put the file at '{path}'."
        ) from error
