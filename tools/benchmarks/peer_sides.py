"""Sides of benchmark_peers.py: this package, or a checkout of NACLIP, in a process of its own.

Commands are read from stdin, one per line (``text`` or ``image NUMBER``); each is answered with a
line of JSON on stdout. What the measured code prints goes to stderr.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch


class OwnSide:
    """This package.

    Args:
        settings: See ``benchmark_peers.write_settings``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        import mmseg_langseg  # noqa: F401 - not in the process of the other side

        from mmengine.config import Config
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS

        init_default_scope('mmseg')
        self.model = MODELS.build(Config.fromfile(settings['config']).model).eval()

    def text(self) -> None:
        """Encode the class names, or read them from the cache."""
        self.model.set_vocabulary(self.model.decode_head.vocabulary)


class NaclipSide:
    """NACLIP's own code, imported from its checkout and run on the CPU.

    Args:
        settings: See ``benchmark_peers.write_settings``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        _provide_pkg_resources()
        sys.path.insert(0, settings['checkout'])
        import naclip

        self.device = torch.device('cpu')
        self.settings = settings
        self.naclip = naclip
        loaded = naclip.clip.load(settings['weights'], device=self.device, jit=False)
        # NACLIP loads its weights and encodes the class names in one step.
        naclip.clip.load = lambda *args, **kwargs: loaded
        naclip.openai_imagenet_template = naclip.openai_imagenet_template[: settings['templates']]

    def text(self) -> None:
        """Encode the class names, in the constructor of the model."""
        self.model = self.naclip.NACLIP(
            clip_path=self.settings['weights'],
            name_path=self.settings['names'],
            device=self.device,
            **self.settings['options'],
        ).eval()


SIDES = {'own': OwnSide, 'naclip': NaclipSide}


def _provide_pkg_resources() -> None:
    """Provide ``pkg_resources.packaging``, which NACLIP imports and new setuptools lack."""
    import packaging.version

    try:
        import pkg_resources
    except ImportError:
        pkg_resources = sys.modules['pkg_resources'] = ModuleType('pkg_resources')
    if not hasattr(pkg_resources, 'packaging'):
        pkg_resources.packaging = packaging


def _peak_memory() -> ModuleType:
    """Load the module that measures memory without importing this package."""
    package = importlib.util.find_spec('mmseg_langseg').submodule_search_locations[0]
    path = Path(package) / 'engine' / 'peak_memory.py'
    spec = importlib.util.spec_from_file_location('peak_memory', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(memory: ModuleType, step: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Run a step; return its CPU seconds and peak memory in MiB, and its result."""
    # Memory that is free but not yet returned would hide what the step needs.
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not in all C libraries
        ctypes.CDLL(None).malloc_trim(0)
    memory.reset_peak_memory('cpu')
    start = time.process_time()
    result = step()
    cpu = time.process_time() - start
    return {'cpu': cpu, 'peak': memory.peak_memory('cpu')}, result


def can_reset(memory: ModuleType) -> bool:
    """Return whether this system can set the peak memory back to the present use."""
    block = bytearray(b'x') * 2**26
    before = memory.peak_memory('cpu')
    del block
    memory.reset_peak_memory('cpu')
    return before - memory.peak_memory('cpu') > 2**5


def label_map(model: torch.nn.Module, image: np.ndarray, ori_shape: list[int]) -> np.ndarray:
    """Segment a BGR image ``(3, h, w)`` uint8 of model input size; return its labels."""
    from mmseg.structures import SegDataSample

    size = image.shape[1:]
    meta = {'ori_shape': tuple(ori_shape), 'img_shape': size, 'pad_shape': size, 'img_path': ''}
    data = {'inputs': [torch.from_numpy(image)], 'data_samples': [SegDataSample(metainfo=meta)]}
    return model.test_step(data)[0].pred_sem_seg.data[0].numpy().astype(np.int16)


def serve(name: str, settings: dict[str, Any], answer: Callable[[dict], None]) -> None:
    """Load a side, then measure its stages as commanded."""
    memory = _peak_memory()
    resets = can_reset(memory)
    images = np.load(settings['images'])
    side = SIDES[name](settings)
    answer({**measured(memory, lambda: None)[0], 'resets': resets})  # the memory of the weights
    for line in sys.stdin:
        stage, _, number = line.strip().partition(' ')
        if stage == 'text':
            figures, _ = measured(memory, side.text)
        else:
            step = partial(label_map, side.model, images[int(number)], settings['ori_shape'])
            figures, labels = measured(memory, step)
            np.save(Path(settings['out']) / f'{name}_{number}.npy', labels)
        answer(figures)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('side', choices=list(SIDES))
    parser.add_argument('settings', type=Path)
    args = parser.parse_args()
    # Prints of the measured code must not be taken for answers.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def answer(content: dict) -> None:
        print(json.dumps(content), file=answers, flush=True)

    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            serve(args.side, json.loads(args.settings.read_text()), answer)
    except Exception as error:
        answer({'error': f'{type(error).__name__}: {error}'})
        raise


if __name__ == '__main__':
    main()
