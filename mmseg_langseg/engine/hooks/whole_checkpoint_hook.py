"""Checkpoint hook with atomic writes, safe against interruptions of the training."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.fileio import whole_local_backend  # noqa: F401  (registers the backend)
from mmseg_langseg.fileio.whole_file import remove_leftovers, write_whole_file

LAST = 'last_checkpoint'


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that keeps at least one complete checkpoint at any time.

    * Checkpoints and ``last_checkpoint`` are written under a temporary name and renamed.
    * Old checkpoints are removed after the new one is in place, not before, so
      ``max_keep_ckpts`` needs the space of one more checkpoint during writing.
    * Incomplete files of a killed training are removed when the next one starts.
    * In a copied work folder, the best checkpoint to replace is the copy, not the original.

    Args:
        **kwargs: See ``CheckpointHook``. An ``out_dir`` on a storage other than the local disk
            keeps its own backend.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.keep_ckpt_ids = deque()

    def before_train(self, runner: Runner) -> None:
        """Choose the backend and remove leftover files; see ``CheckpointHook``."""
        folder = self.out_dir or runner.work_dir
        default = self.backend_args is None and self.file_client_args is None
        if default and type(get_file_backend(folder)) is LocalBackend:
            self.backend_args = dict(backend='whole_local')
        super().before_train(runner)
        # Without MMEngine's length limit, which would drop an entry before its file is removed.
        self.keep_ckpt_ids = deque(self.keep_ckpt_ids)
        self._find_best_here(runner)
        if is_main_process():
            for folder in {runner.work_dir, self.out_dir}:
                _remove_leftovers(folder)

    def _find_best_here(self, runner: Runner) -> None:
        """Map the best checkpoints of a resumed training to the files of this folder."""
        here = {
            key: path and self.file_backend.join_path(self.out_dir, os.path.basename(path))
            for key, path in self._best_paths().items()
        }
        self._set_best_paths(here)
        for key, path in here.items():
            if path:
                name = 'best_ckpt' if len(here) == 1 else f'best_ckpt_{key}'
                runner.message_hub.update_info(name, path)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Write a checkpoint, record its name, then remove outdated ones."""
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if self.max_keep_ckpts > 0:
            if step not in self.keep_ckpt_ids:
                self.keep_ckpt_ids.append(step)
            # Including the outdated ones: if the run is killed before they are removed, the
            # resumed training removes them.
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_whole_file(Path(runner.work_dir) / LAST, self.last_ckpt.encode())
        while len(self.keep_ckpt_ids) > self.max_keep_ckpts > 0:
            outdated = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            self._remove(self.file_backend.join_path(self.out_dir, outdated))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Write the best checkpoints, then remove those that they replace."""
        if not self.save_best:
            return
        old = self._best_paths()
        # MMEngine removes the ones that it knows before it writes the new ones.
        self._set_best_paths(dict.fromkeys(old))
        super()._save_best_checkpoint(runner, metrics)
        # The name of an ``auto`` metric is known only now.
        new = self._best_paths()
        before = dict(zip(new, old.values(), strict=True))
        self._set_best_paths({key: path or before[key] for key, path in new.items()})
        for key, path in new.items():
            if path and before[key] and before[key] not in new.values():
                self._remove(before[key])

    def _best_paths(self) -> dict[str, str | None]:
        """Path of the best checkpoint of each metric of ``save_best``."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {self.key_indicators[0]: self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(paths) == 1:
            (self.best_ckpt_path,) = paths.values()
        elif paths:
            self.best_ckpt_path_dict = dict(paths)

    def _remove(self, path: str) -> None:
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)


def _remove_leftovers(folder: str) -> None:
    """Remove temporary files of killed trainings; a lock keeps running ones out of the folder."""
    if os.path.isdir(folder):
        names = {name.rsplit('.', 2)[0] for name in os.listdir(folder) if name.endswith('.tmp')}
        remove_leftovers(folder, {name for name in names if name == LAST or name.endswith('.pth')})
