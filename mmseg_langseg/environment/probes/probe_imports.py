"""Import torch and this package, and write what they find as lines of JSON.

``python probe_imports.py FILE`` is a process of its own, as an import may crash it. It has no
relative imports, which would import the package first.
"""

import importlib
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def describe_torch() -> dict[str, Any]:
    """Return versions of torch and CUDA, and the GPUs with the error of a computation on each."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        available = torch.cuda.is_available()
    devices = range(torch.cuda.device_count()) if available else ()
    return dict(
        version=torch.__version__,
        cuda=torch.version.cuda or torch.version.hip,
        available=available,
        warning=' '.join(str(one.message) for one in caught),
        architectures=torch.cuda.get_arch_list() if available else [],
        gpus=[_describe_gpu(index) for index in devices],
        mps=torch.backends.mps.is_available(),
        folder=torch.hub.get_dir(),
    )


def _describe_gpu(index: int) -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(index)
    try:
        torch.ones(8, device=f'cuda:{index}').square().sum().item()
        error = ''
    except Exception as failure:  # each backend has its own exceptions
        error = str(failure).strip().partition('\n')[0]
    return dict(
        name=properties.name,
        capability=f'{properties.major}.{properties.minor}',
        memory=properties.total_memory,
        error=error,
    )


def describe_package() -> dict[str, Any]:
    """Return whether mmcv has operators, the weights of the models, and the download hosts."""
    from huggingface_hub import constants

    from mmseg_langseg.apis.config_file import read_config
    from mmseg_langseg.apis.model_zoo import MODELS, model_config
    from mmseg_langseg.fileio import host_obstacle
    from mmseg_langseg.models.clip_download import find_clip
    from mmseg_langseg.models.clip_loader import EMBEDDED

    weights, hosts = {}, {}
    for name in MODELS:
        clip = read_config(model_config(name, 'any')).model.clip
        found = None if _is_bundled(clip, EMBEDDED) else find_clip(clip.arch, clip.pretrained)
        weights[name] = found and dict(file=found.file, url=found.urls[0], host=found.host)
        if found and not found.file and found.host not in hosts:
            offline = 'HF_HUB_OFFLINE is set' if constants.HF_HUB_OFFLINE else None
            hosts[found.host] = offline or host_obstacle(found.host)
    return dict(
        operators=importlib.util.find_spec('mmcv._ext') is not None,
        folder=constants.HF_HUB_CACHE,
        weights=weights,
        hosts=hosts,
    )


def _is_bundled(clip: Mapping, prefix: str) -> bool:
    return str(clip['pretrained']).startswith(prefix)


PROBES: dict[str, Callable[[], dict] | None] = {
    'torch': describe_torch,
    'torchvision': None,
    'open_clip': None,
    'mmseg_langseg': describe_package,
}
"""Packages to import, in this order, and what to ask them."""


def main(path: str) -> None:
    """Write one line per package; the first that fails is the last."""
    with open(path, 'w', encoding='utf-8') as file:
        for name, describe in PROBES.items():
            print(json.dumps(dict(name=name)), file=file, flush=True)
            try:
                importlib.import_module(name)
                facts = describe() if describe else {}
            except Exception as error:
                kind = '' if isinstance(error, ImportError) else f'{type(error).__name__}: '
                text = ' '.join(str(error).split())
                print(json.dumps(dict(name=name, error=kind + text)), file=file)
                break
            print(json.dumps(dict(name=name, facts=facts)), file=file, flush=True)


if __name__ == '__main__':
    main(sys.argv[1])
