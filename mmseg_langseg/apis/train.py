"""Training from a config."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from .launch import launch_runner, load_config
from .resume import given_checkpoint, newest_checkpoint
from .training_lock import training_lock


def run_training(
    config: str | Path | Config,
    work_dir: str | None = None,
    resume: bool | str = False,
    amp: bool = False,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
) -> Runner:
    """Train the model of a config.

    Args:
        config: Config file or config.
        work_dir: Where logs and checkpoints go; see :func:`load_config`.
        resume: True goes on from the newest checkpoint of the work directory that can be read, or
            starts anew if it holds none; a path goes on from that checkpoint.
        amp: Train with automatic mixed precision.
        cfg_options: Dotted keys and values that override the config.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Returns:
        The Runner after training; ``runner.model`` is the trained model.

    Raises:
        FileNotFoundError: If the config or the checkpoint to resume from does not exist.
        FloatingPointError: If a loss or what would be saved is not finite.
        RuntimeError: If another training uses the work directory.
        ValueError: If ``amp`` is asked for where it cannot work, or a checkpoint to resume from
            holds no whole state of a training.
    """
    cfg = load_config(config, work_dir, cfg_options, launcher)
    if amp:
        _enable_amp(cfg)
    if cfg.get('resume'):
        # As MMEngine has it, but looked for in the work directory.
        resume = resume or cfg.get('load_from') or True
    with training_lock(cfg.work_dir, launcher):
        notes = _set_resume(cfg, resume) if resume else []
        runner = launch_runner(cfg)
        for note in notes:
            runner.logger.warning(note)
        runner.train()
    return runner


def _enable_amp(cfg: Config) -> None:
    if get_device() == 'cpu':
        raise ValueError(
            'Mixed precision (--amp) needs a GPU, and this machine offers none to torch; '
            'train without --amp.'
        )
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'Mixed precision (--amp) replaces an optim_wrapper of type OptimWrapper, but the '
            f'config has {kind!r}.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _set_resume(cfg: Config, resume: bool | str) -> list[str]:
    """Make the config go on from a checkpoint; what the log should say about the choice."""
    if isinstance(resume, str):
        checkpoint, skipped = given_checkpoint(resume, cfg), []
    else:
        checkpoint, skipped = newest_checkpoint(cfg)
    notes = [f'Not resumed from: {message}.' for message in skipped]
    cfg.resume = checkpoint is not None
    if checkpoint is None:
        # A config's load_from holds weights to start from, not a run to go on with.
        return [*notes, f'{cfg.work_dir} holds no checkpoint: training starts anew.']
    cfg.load_from = checkpoint
    return notes
