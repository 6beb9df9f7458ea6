"""Train a model from a config."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.runner import Runner

from mmseg_langseg.fileio import trusted_checkpoint

from .config_checks import check_can_train, check_folders
from .data_check import check_data, check_not_among_data, check_not_among_data_of
from .launch import launch_runner, load_config
from .open_files import check_open_files
from .resume import check_replaces_no_checkpoint, given_checkpoint, newest_checkpoint, take_seed
from .training_lock import run_lock
from .words import set_known


def run_training(
    config: str | Path | Config,
    work_dir: str | None = None,
    resume: bool | str = False,
    amp: bool = False,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
    known: str | None = None,
    trust_checkpoint: bool = False,
) -> Runner:
    """Train the model of a config.

    Args:
        config: Config file or config.
        work_dir: Folder for logs and checkpoints; see ``load_config``.
        resume: True resumes from the newest readable checkpoint in the work directory, or starts a
            new training if it holds none; a path resumes from that checkpoint.
        amp: Train with automatic mixed precision: bfloat16 on a CPU and on GPUs that have it
            (NVIDIA: since Ampere), float16 with a scaled loss on others.
        cfg_options: Dotted keys and values that override the config.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        known: Known classes of CLIP-S4 or MaskCLIP+, see ``set_known``.
        trust_checkpoint: Unpickle the checkpoint without restrictions, which can execute
            arbitrary code; only for files that you created yourself.

    Returns:
        The Runner after training; ``runner.model`` is the trained model.

    Raises:
        FileExistsError: If the training would replace checkpoints of another one.
        FileNotFoundError: If the config, its data or the checkpoint to resume from do not exist.
        FloatingPointError: If a loss or a value to be saved is not finite.
        OSError: If too few files can be open for the workers of the data loaders.
        SystemExit: With status 75 if the process got SIGTERM; the checkpoint is written.
        RuntimeError: If another training uses the work directory or the checkpoint folder.
        ValueError: If the config does not train, labels of the validation data cannot be used
            (checked before the model is built), the work directory is among the data, ``known``
            does not fit the config, ``amp`` is not available, or a checkpoint is damaged, holds
            code, does not fit or, if it is to be resumed from, lacks the training state.
    """
    cfg = load_config(config, work_dir, cfg_options, launcher)
    check_can_train(cfg)
    check_open_files(cfg, 'train_dataloader', 'val_dataloader')
    check_folders(cfg, 'train_dataloader', 'val_dataloader')
    if known is not None:
        set_known(cfg, known)
    if amp:
        _enable_amp(cfg)
    check_not_among_data_of(cfg, 'train_dataloader')
    validated = check_data(cfg, 'val_dataloader')
    if validated is not None:
        check_not_among_data(cfg.work_dir, validated, '--work-dir')
    if cfg.get('resume'):
        # As in MMEngine, but the checkpoint is searched for in the work directory.
        resume = resume or cfg.get('load_from') or True
    with run_lock(cfg):
        notes = _set_resume(cfg, resume, trust_checkpoint) if resume else []
        check_replaces_no_checkpoint(cfg)
        with trusted_checkpoint(cfg.get('load_from') if trust_checkpoint else None):
            runner = launch_runner(cfg)
            for note in notes:
                runner.logger.warning(note)
            warn_of_batch_size(runner)
            with _kept_sigterm_handler():
                runner.train()
    return runner


@contextmanager
def _kept_sigterm_handler() -> Iterator[None]:
    """Restore the handler that ``TerminationHook`` replaces, also after an error."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def warn_of_batch_size(runner: Runner) -> None:
    """Warn if the total batch size is not the one that the schedule of the config is made for.

    The latter is ``auto_scale_lr.base_batch_size``; there is no warning if the config has none or
    scales its learning rate by it.
    """
    schedule = runner.cfg.get('auto_scale_lr') or {}
    wanted = schedule.get('base_batch_size')
    processes = get_world_size()
    size = runner.cfg.train_dataloader.get('batch_size', 1) * processes
    accumulated = (runner.cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    if wanted is None or wanted == size * accumulated or schedule.get('enable'):
        return
    remedy = f'--cfg-options train_dataloader.batch_size={wanted // processes}'
    if wanted % processes:
        remedy = f'a number of processes that divides {wanted}'
    runner.logger.warning(
        f'A step has {size} images ({processes} processes of {size // processes}), but the '
        f'schedule of the config is made for {wanted}: use {remedy}.'
    )


def _enable_amp(cfg: Config) -> None:
    """Set the optimizer wrapper for mixed precision; one that the config has stays as it is."""
    device = get_device()
    if device == 'mps':
        raise ValueError("Mixed precision (--amp) is not available on the device 'mps'.")
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind == 'BFloat16OptimWrapper' or (kind == 'AmpOptimWrapper' and device != 'cpu'):
        return
    if kind != 'OptimWrapper':
        raise ValueError(
            f'Mixed precision (--amp) replaces an optim_wrapper of type OptimWrapper, but the '
            f'config has {kind!r}, and the device is {device!r}.'
        )
    cfg.optim_wrapper.type = 'BFloat16OptimWrapper' if _has_bfloat16(device) else 'AmpOptimWrapper'


def _has_bfloat16(device: str) -> bool:
    """Whether a device computes in bfloat16; older GPUs only emulate it, slowly."""
    return device == 'cpu' or (device == 'cuda' and torch.cuda.get_device_capability() >= (8, 0))


def _set_resume(cfg: Config, resume: bool | str, trust: bool) -> list[str]:
    """Set the checkpoint to resume from in the config, and return notes for the log."""
    if isinstance(resume, str):
        checkpoint, skipped = given_checkpoint(resume, cfg, trust), []
    else:
        checkpoint, skipped = newest_checkpoint(cfg, trust)
    notes = [f'Not resumed from: {message}.' for message in skipped]
    cfg.resume = checkpoint is not None
    if checkpoint is None:
        # load_from in a config names initial weights, not a run to resume.
        return [*notes, f'{cfg.work_dir} holds no checkpoint: a new training starts.']
    cfg.load_from = checkpoint
    note = take_seed(cfg, checkpoint, trust)
    return notes if note is None else [*notes, note]
