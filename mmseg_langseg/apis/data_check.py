"""Check the labeled data of a config before its model is built and weights are loaded."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_langseg.datasets import LoadMaskProposals, check_labels, dataset_parts
from mmseg_langseg.evaluation import label_map_path
from mmseg_langseg.fileio import remove_leftovers
from mmseg_langseg.masks.runs import GenerationManifest
from mmseg_langseg.synthetic import SyntheticScenesDataset

from .config_checks import check_folders, datasets_of

# Environment variables of launchers for the rank and the world size.
_RANKS = dict(
    pytorch=('RANK', 'WORLD_SIZE'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
)


def check_data(cfg: Config, loader: str) -> BaseDataset | None:
    """Build a dataset of a config and check its labels, see ``datasets.check_labels``.

    Args:
        cfg: Config of a run.
        loader: Key of the dataloader, e.g. ``test_dataloader``.

    Returns:
        The dataset; None if the config has no such dataloader.

    Raises:
        OSError: Data are missing.
        ValueError: Labels cannot be used.
    """
    if not cfg.get(loader) or 'dataset' not in cfg[loader]:
        return None
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    check_folders(cfg, loader)
    dataset = _build(cfg[loader].dataset)
    rank, world_size = (
        int(os.environ.get(name, default))
        for name, default in zip(_RANKS.get(cfg.get('launcher'), ('', '')), (0, 1), strict=True)
    )
    check_labels(dataset, rank, world_size, ignored_label(cfg, loader))
    return dataset


def ignored_label(cfg: Config, loader: str) -> int | None:
    """The label that the metric of some data ignores, see ``datasets.check_labels``.

    Args:
        cfg: Config of a run.
        loader: Key of the data, e.g. ``test_dataloader``.

    Returns:
        The label; None if the metric does not say.
    """
    metrics = cfg.get(loader.replace('_dataloader', '_evaluator')) or []
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    settings = [metric for metric in metrics if isinstance(metric, dict)]
    return next((one['ignore_index'] for one in settings if 'ignore_index' in one), None)


def _build(settings: ConfigDict) -> BaseDataset:
    try:
        return DATASETS.build(settings)
    except ValueError as error:
        # MMEngine's error for a dataset without images.
        if 'at least one array' not in str(error):
            raise
        raise ValueError(
            f'{settings.type} found no image in {settings.get("data_root")!r}, data_prefix '
            f'{settings.get("data_prefix")}; expected files that end in its img_suffix'
        ) from error


def check_mask_files(dataset: BaseDataset) -> None:
    """Check that all images have the mask files that a test reads, see ``LoadMaskProposals``.

    Raises:
        FileNotFoundError: Files are missing; the message names the first.
    """
    for part in dataset_parts(dataset):
        for step in getattr(getattr(part, 'pipeline', None), 'transforms', ()):
            if not isinstance(step, LoadMaskProposals) or step.mask_root is None:
                continue
            images = (part.get_data_info(index)['img_path'] for index in range(len(part)))
            files = {image: step.mask_path(image) for image in images}
            gone = [image for image, file in files.items() if not os.path.isfile(file)]
            if gone:
                raise FileNotFoundError(
                    f'{len(gone)} of {len(files)} images have no mask file, the first: '
                    f"'{files[gone[0]]}' of the image '{gone[0]}'. The files need the folder tree "
                    'and the names of the images, with the suffix .json.'
                )


def check_not_among_data(folder: str, dataset: BaseDataset, option: str) -> None:
    """Check that an output folder is not among the images or label maps of a dataset.

    Raises:
        ValueError: It is such a folder, inside one, or the root of the data.
    """
    for part in dataset_parts(dataset):
        prefix = getattr(part, 'data_prefix', None) or {}
        _check_outside(folder, getattr(part, 'data_root', None), prefix.values(), option)


def check_not_among_data_of(cfg: Config, loader: str) -> None:
    """Check that the work folder is not among the data of a loader, without building it.

    Raises:
        ValueError: See :func:`check_not_among_data`.
    """
    for _, dataset in datasets_of((cfg.get(loader) or {}).get('dataset'), loader):
        root, prefix = dataset.get('data_root') or '', dataset.get('data_prefix') or {}
        names = [name for name in prefix.values() if isinstance(name, str)]
        _check_outside(cfg.work_dir, root, [os.path.join(root, n) for n in names], '--work-dir')


def _check_outside(folder: str, root: str | None, sources: Iterable[str], option: str) -> None:
    target, here = Path(folder).resolve(), Path.cwd()
    # Subfolders of the root are fine, and so is a root that is the current folder or above it.
    is_root = root and target == Path(root).resolve() and target not in (here, *here.parents)
    for source in [*([root] if is_root else []), *filter(None, sources)]:
        path = Path(source).resolve()
        if os.path.isdir(path) and (target == path or path in target.parents):
            raise ValueError(
                f"{option} '{folder}' is in '{source}', which is read: nothing was written; give "
                'another folder'
            )


def check_drawable(folder: str, dataset: BaseDataset | None) -> None:
    """Check that OpenCV can write drawings of all images of a dataset into a folder.

    OpenCV kills the process by a signal if a file name is not valid UTF-8.

    Raises:
        ValueError: The name of the folder or of an image is not valid UTF-8, or the images are
            not files.
    """
    parts = [] if dataset is None else dataset_parts(dataset)
    if any(isinstance(part, SyntheticScenesDataset) for part in parts):
        raise ValueError(
            '--show and --show-dir draw on image files, but the scenes of SyntheticScenesDataset '
            'are rendered: test without them; tools/quickstart.py draws such scenes'
        )
    paths = (part.get_data_info(i).get('img_path', '') for part in parts for i in range(len(part)))
    for name in itertools.chain([os.path.abspath(folder)], map(os.path.basename, paths)):
        if name != name.encode(errors='replace').decode():
            raise ValueError(
                f'{name!r} is not valid UTF-8, so OpenCV cannot write a drawing of it: rename it, '
                'or test without --show and --show-dir'
            )


def start_pictures(show_dir: str) -> None:
    """Prepare a folder for painted predictions, which replace those of an earlier test.

    Raises:
        ValueError: The visualizer's folder in it holds files of another origin.
    """
    folder = Path(show_dir, 'vis_data')
    settings = dict(content='painted predictions')
    GenerationManifest(folder).start(settings, (), folder.glob('[!.]*'))


def start_label_maps(out: str, dataset: BaseDataset) -> dict[str, str]:
    """Prepare a folder for predicted label maps.

    Files of an earlier test with the same classes are replaced; files of another origin never.

    Args:
        out: Output folder.
        dataset: Dataset to test on.

    Returns:
        Config of the ``LabelMapWriter``.

    Raises:
        ValueError: The folder is among the images or label maps, holds files of another origin or
            of a test with other classes, or two images would share a label map.
    """
    check_not_among_data(out, dataset, '--out')
    roots = [part.data_prefix.get('img_path') or '' for part in dataset_parts(dataset)]
    root = roots[0] if len(set(roots)) == 1 else os.path.commonpath(map(os.path.abspath, roots))
    images: dict[Path, str] = {}
    for index in range(len(dataset)):
        image = dataset.get_data_info(index)['img_path']
        target = label_map_path(image, root, out)
        other = images.setdefault(target, image)
        if other != image:
            raise ValueError(
                f"'{other}' and '{image}' would both have the label map '{target}'; rename one"
            )
    settings = dict(
        content='predicted label maps', classes=list(dataset.metainfo.get('classes') or ())
    )
    GenerationManifest(out).start(settings, (), images)
    _remove_leftovers(images)
    return dict(type='LabelMapWriter', out=str(out), image_root=root)


def _remove_leftovers(targets: Iterable[Path]) -> None:
    """Remove the temporary files of killed tests."""
    folders: dict[Path, set[str]] = {}
    for target in targets:
        folders.setdefault(target.parent, set()).add(target.name)
    for folder, names in folders.items():
        if folder.is_dir():
            remove_leftovers(folder, names)
