"""Load the config and build the Runner for training and testing."""

import gc
import multiprocessing
import os
import subprocess
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_distributed
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmseg_langseg.engine import CheckpointFitHook

from .benchmark import use_benchmark
from .command_runner import CommandRunner
from .config_checks import check_output_folder
from .config_file import merge_options, read_config
from .evaluation_options import EvaluationOptions
from .protocol import use_protocol


def load_config(
    config: str | Path | Config,
    work_dir: str | None = None,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
    benchmark: str | None = None,
    protocol: str | None = None,
    options: EvaluationOptions | None = None,
) -> Config:
    """Read a config and set its launcher and work directory.

    Args:
        config: Config file, name of a config of this package (see :func:`read_config`), or
            ``Config``, which is copied.
        work_dir: Overrides ``work_dir`` of the config; if neither is set, it is
            ``work_dirs/<name of the config file>``.
        cfg_options: Dotted keys and values that override the config.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        benchmark: Test set instead of the config's, see :func:`use_benchmark`.
        protocol: Test protocol of a method on this benchmark, see :func:`use_protocol`.
        options: Masks, metrics and corruptions of a test.

    Raises:
        FileNotFoundError: If the config file or a folder of masks does not exist.
        NotADirectoryError: If the work directory is a file.
        ValueError: If the config cannot be read, or an option does not fit it.
    """
    cfg = config.copy() if isinstance(config, Config) else read_config(config)
    cfg.launcher = launcher
    options = options or EvaluationOptions()
    if benchmark is not None:
        options = options.with_masks_of(cfg)
        use_benchmark(cfg, benchmark)
    if protocol is not None:
        if benchmark is None:
            raise ValueError(
                f'--protocol {protocol} needs --benchmark: its numbers differ between benchmarks.'
            )
        use_protocol(cfg, protocol, benchmark)
    options.apply(cfg)
    if cfg_options:
        merge_options(cfg, cfg_options)
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        name = Path(cfg.filename).stem if cfg.filename else 'run'
        cfg.work_dir = str(Path('work_dirs') / name)
    check_output_folder(cfg.work_dir, 'The work directory')
    return cfg


def check_checkpoint(path: str) -> str:
    """Return ``path`` after checking that a local checkpoint exists.

    Raises:
        FileNotFoundError: If ``path`` names a local file that does not exist.
    """
    if '://' not in path and not Path(path).is_file():
        raise FileNotFoundError(f'There is no checkpoint file {path!r}.')
    return path


def _use_cpu_processes(cfg: Config) -> None:
    """Set up distributed CPU processes of ``torchrun`` or Slurm; MMEngine's own setup needs a GPU.

    MMEngine selects a CUDA device for each process and passes ``device_ids`` to its default
    wrapper; torch rejects both without a GPU.
    """
    if not is_distributed():
        if cfg.launcher == 'slurm':
            _set_torchrun_variables()
        torch_dist.init_process_group(backend='gloo', timeout=_timeout(cfg))
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def _timeout(cfg: Config) -> timedelta | None:
    """Return the time after which collective operations fail, or None for torch's default.

    Raises:
        ValueError: The config's value is not a number of seconds.
    """
    seconds = (cfg.env_cfg.get('dist_cfg') or {}).get('timeout')
    if seconds is None:
        return None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds < inf:
        raise ValueError(
            f'env_cfg.dist_cfg.timeout={seconds!r}: expected a number of seconds above 0.'
        )
    return timedelta(seconds=seconds)


def _set_torchrun_variables() -> None:
    """Set the environment variables of ``torchrun`` from those of ``srun``, as MMEngine does."""
    names = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')
    os.environ.update({name: os.environ[slurm] for name, slurm in names.items()})
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_JOB_NODELIST']]
        hosts = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]


def launch_runner(cfg: Config) -> Runner:
    """Build the Runner of a config for a CPU, one GPU or several GPUs.

    The checkpoint of the config must fit the model, see ``CheckpointFitHook``.
    """
    on_cpus = cfg.launcher in ('pytorch', 'slurm') and get_device() == 'cpu'
    if on_cpus and 'model_wrapper_cfg' not in cfg:
        _use_cpu_processes(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else CommandRunner.from_cfg(cfg)
    if not any(isinstance(hook, CheckpointFitHook) for hook in runner.hooks):
        runner.register_hook(CheckpointFitHook())
    return runner


def leave_process_group() -> None:
    """Destroy the process group of a distributed run, once all processes have reached this call.

    Gloo threads that were still alive at interpreter exit have aborted a finished training
    ("terminate called without an active exception"). They end with the last reference to the group,
    which the runner holds; the runner refers to itself, hence the garbage collection. Data loader
    workers are ended first: in a distributed run, torch waits up to 5 seconds for each of them.
    """
    if is_distributed():
        barrier()
        for worker in multiprocessing.active_children():
            worker.terminate()
        torch_dist.destroy_process_group()
        gc.collect()
