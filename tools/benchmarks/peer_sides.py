"""Sides of benchmark_peers.py: this package, or a checkout of NACLIP, in a process of its own.

Its commands are ``text`` and ``image NUMBER``, see ``peer_measurement.py``.
"""

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from peer_measurement import Answer, can_reset, load_peak_memory, measured, run_side


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


def label_map(model: torch.nn.Module, image: np.ndarray, ori_shape: list[int]) -> np.ndarray:
    """Segment a BGR image ``(3, h, w)`` uint8 of model input size; return its labels."""
    from mmseg.structures import SegDataSample

    size = image.shape[1:]
    meta = {'ori_shape': tuple(ori_shape), 'img_shape': size, 'pad_shape': size, 'img_path': ''}
    data = {'inputs': [torch.from_numpy(image)], 'data_samples': [SegDataSample(metainfo=meta)]}
    return model.test_step(data)[0].pred_sem_seg.data[0].numpy().astype(np.int16)


@torch.no_grad()
def serve(name: str, settings: dict[str, Any], answer: Answer) -> None:
    """Load a side, then measure its stages as commanded."""
    memory = load_peak_memory()
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


if __name__ == '__main__':
    run_side(SIDES, serve)
