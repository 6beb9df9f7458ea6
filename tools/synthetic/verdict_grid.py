"""Grid of trainings for the study of verdicts without labels, of verdict_grid.yml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmseg_langseg.apis.compare import seed_options
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.synthetic.renderer import render_scene

import yaml
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmseg.registry import TRANSFORMS

GRID = Path(__file__).with_name('verdict_grid.yml')
CLIP = 'embedded:clip_resnet_tiny_seed{seed}'
# The masks of a scene that is never trained on.
OTHER_SCENE = 100_000


@TRANSFORMS.register_module()
class MasksOfAnotherScene(BaseTransform):
    """Replace the unlabeled masks of a scene by those of another."""

    def transform(self, results: dict) -> dict:
        """Replace ``mask_rles``."""
        masks = render_scene(results['split'], results['scene_index'] + OTHER_SCENE).masks
        return {**results, 'mask_rles': encode_masks(masks)}


@dataclass(frozen=True)
class GridRun:
    """A training of the grid.

    Attributes:
        half: ``choose`` or ``report``.
        name: Name of the settings.
        method: ``pixelclip`` or ``clips4``.
        clip_seed: Seed of the CLIP and of the training.
        config: Name of a config of this package.
        options: Options of the config.
        wrong_masks: Whether it is trained on the masks of other scenes.
    """

    half: str
    name: str
    method: str
    clip_seed: int
    config: str
    options: dict[str, Any]
    wrong_masks: bool

    def folder(self, root: str | Path) -> Path:
        """Return the work directory of the run."""
        return Path(root) / self.half / f'seed{self.clip_seed}' / self.name

    def load(self, root: str | Path) -> Config:
        """Return the config of the run."""
        options = seed_options(CLIP, self.clip_seed, 'test', self.options)
        cfg = load_config(self.config, str(self.folder(root)), options)
        if self.wrong_masks:
            cfg.train_dataloader.dataset.pipeline.insert(1, dict(type='MasksOfAnotherScene'))
        return cfg

    def checkpoints(self, root: str | Path) -> list[Path]:
        """Return the checkpoints of a finished run in the order of training."""
        return sorted(self.folder(root).glob('iter_*.pth'), key=lambda path: int(path.stem[5:]))

    def is_finished(self, root: str | Path) -> bool:
        """Return whether the last checkpoint has been written."""
        last = self.load(root).train_cfg.max_iters
        return (self.folder(root) / f'iter_{last}.pth').is_file()


def grid_runs(path: str | Path = GRID) -> Iterator[GridRun]:
    """Yield the runs of the grid; those of both halves alternate."""
    grid = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    by_half = [list(_half_runs(grid, half)) for half in grid['halves']]
    longest = max(map(len, by_half))
    for number in range(longest):
        for runs in by_half:
            yield from runs[number : number + 1]


def _half_runs(grid: dict, half: str) -> Iterator[GridRun]:
    for name, run in grid['runs'][half].items():
        method = grid['methods'][run['method']]
        options = {**method['options'], **run.get('options', {})}
        for seed in grid['halves'][half]['clip_seeds']:
            yield GridRun(
                half,
                name,
                run['method'],
                seed,
                run.get('config', method['config']),
                options,
                run.get('wrong_masks', False),
            )
