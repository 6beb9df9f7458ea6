"""Test a model from a config, with or without a checkpoint."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmseg_langseg.fileio import trusted_checkpoint

from .config_checks import check_can_test, check_output_folder
from .data_check import (
    check_data,
    check_drawable,
    check_mask_files,
    check_not_among_data,
    start_label_maps,
    start_pictures,
)
from .evaluation_options import EvaluationOptions
from .launch import check_checkpoint, launch_runner, load_config
from .open_files import check_open_files
from .stored_weights import skip_public_weights_of
from .test_changes import classified_masks
from .words import set_known, set_texts


def run_test(
    config: str | Path | Config,
    checkpoint: str | None = None,
    work_dir: str | None = None,
    out: str | None = None,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
    tta: bool = False,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
    texts: str | None = None,
    known: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
    trust_checkpoint: bool = False,
    options: EvaluationOptions | None = None,
) -> dict[str, float]:
    """Evaluate the model of a config on its test data.

    Args:
        config: Config file or config.
        checkpoint: Weights to load; None tests the untrained model, which for a language
            segmentor is zero-shot CLIP.
        work_dir: Folder for logs and the JSON file of the metrics; see ``load_config``.
        out: Folder for the predicted label maps, one PNG per image in the tree of the image
            folder; see ``LabelMapWriter`` for their values.
        show: Show each prediction in a window.
        show_dir: Folder for drawings of the predictions.
        wait_time: Display time of each window in seconds.
        tta: Average over the views of the config's ``tta_pipeline``.
        cfg_options: Dotted keys and values that override the config.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        texts: Test vocabulary, see ``set_texts``; default: that of the config or dataset.
        known: Known classes that the checkpoint was trained with, see ``set_known``.
        benchmark: Test set instead of the config's, see ``use_benchmark``.
        protocol: Test protocol of a method on this benchmark, see ``use_protocol``.
        trust_checkpoint: Unpickle the checkpoint without restrictions, which can execute
            arbitrary code; only for files that you created yourself.
        options: Masks, metrics and corruptions, see ``EvaluationOptions``.

    Returns:
        The metrics by name, e.g. ``mIoU`` in percent.

    Raises:
        FileNotFoundError: If the config, the checkpoint or the data do not exist.
        NotADirectoryError: If a folder to write to is a file.
        ValueError: If the config does not test or lacks what an option needs, labels cannot be used
            (checked before the model is built), an output folder is among the data, ``out`` or
            ``show_dir`` would mix with other files, or the checkpoint is damaged, holds code or
            belongs to another model.
    """
    if checkpoint is not None:
        check_checkpoint(checkpoint)
    for folder, option in ((out, '--out'), (show_dir, '--show-dir')):
        if folder is not None:
            check_output_folder(folder, option)
    if tta and protocol is not None:
        raise ValueError(f'--tta is not part of the protocol {protocol!r}: leave one of them out.')
    cfg = load_config(config, work_dir, cfg_options, launcher, benchmark, protocol, options)
    if tta and classified_masks(cfg) is not None:
        raise ValueError('--tta averages pixels, but this test classifies masks: leave it out.')
    check_can_test(cfg)
    check_open_files(cfg, 'test_dataloader')
    if texts is not None:
        set_texts(cfg, texts)
    if known is not None:
        set_known(cfg, known)
    cfg.load_from = checkpoint
    cfg.resume = False
    if show or show_dir:
        _draw(cfg, show, show_dir, wait_time)
    if tta:
        _use_tta(cfg)
    dataset = check_data(cfg, 'test_dataloader')
    if dataset is not None:
        check_mask_files(dataset)
    for folder, option in ((cfg.work_dir, '--work-dir'), (show_dir, '--show-dir')):
        if folder and dataset is not None:
            check_not_among_data(folder, dataset, option)
    if show or show_dir:
        check_drawable(show_dir or cfg.work_dir, dataset)
    if out is not None:
        _keep_predictions(cfg, out, dataset)
    if show_dir:
        start_pictures(show_dir)
    with trusted_checkpoint(checkpoint if trust_checkpoint else None):
        skip_public_weights_of(cfg.model, checkpoint)
        return launch_runner(cfg).test()


def _require(cfg: Config, key: str, option: str) -> Any:
    """Return ``cfg[key]``, which ``option`` needs."""
    if cfg.get(key) is None:
        raise ValueError(f'{option} needs `{key}` in the config, and {cfg.filename} has none.')
    return cfg[key]


def _draw(cfg: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    hook = _require(cfg, 'default_hooks', '--show').get('visualization')
    if hook is None:
        raise ValueError(
            f'--show and --show-dir need a SegVisualizationHook as default_hooks.visualization, '
            f'and {cfg.filename} has none.'
        )
    hook.draw = True
    if show:
        hook.show, hook.wait_time = True, wait_time
    if show_dir:
        _require(cfg, 'visualizer', '--show-dir').save_dir = str(show_dir)


def _use_tta(cfg: Config) -> None:
    cfg.test_dataloader.dataset.pipeline = _require(cfg, 'tta_pipeline', '--tta')
    cfg.model = dict(_require(cfg, 'tta_model', '--tta'), module=cfg.model)


def _keep_predictions(cfg: Config, out: str, dataset: BaseDataset | None) -> None:
    _require(cfg, 'test_dataloader', '--out')
    evaluators = _require(cfg, 'test_evaluator', '--out')
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    # Without metrics that only format results (in 8 bits) and have no folder to write to.
    kept = [e for e in evaluators if not e.get('format_only') or e.get('output_dir')]
    cfg.test_evaluator = [*kept, start_label_maps(out, dataset)]
