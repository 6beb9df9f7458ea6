"""Draw training samples of a config as its pipeline yields them.

    python tools/analysis_tools/browse_dataset.py configs/pixelclip/vit-b16_photos.py OUT
    python tools/analysis_tools/browse_dataset.py configs/clips4/r50_photos.py OUT --max 8 --seed 3

One PNG per sample. Existing files are overwritten only with --overwrite, files of the dataset
never. Masks (PixelCLIP): the weak view, the weak view with its masks, the strong view with the same
masks. Views (CLIP-S4, MaskCLIP+): the image before augmentation with the frames of the views and
their regions, mapped back by the matrices of the views; then each view without and with its
regions. A region has the same color everywhere.
"""

import os
import random
from pathlib import Path

from mmseg_langseg.apis.command_line import (
    add_config_options,
    command_parser,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.index_colors import index_colors
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.apis.mask_overlay import draw_masks, draw_regions
from mmseg_langseg.fileio import check_no_overwrite, check_not_input, write_whole_file

import cv2
import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

HEIGHT, GAP = 320, 4


def draw_sample(sample: dict) -> list[np.ndarray]:
    """Draw a packed sample as uint8 (H, W, 3) RGB pictures of different sizes.

    Raises:
        ValueError: If the sample was packed by neither PackMaskInputs nor PackViews.
    """
    inputs = sample['inputs']
    if isinstance(inputs, dict) and 'weak' in inputs:
        return _draw_mask_sample(inputs, sample['data_samples'])
    if isinstance(inputs, dict) and 'views' in inputs:
        return _draw_view_sample(inputs, sample['data_samples'])
    raise ValueError(
        "its training pipeline ends in neither 'PackMaskInputs' nor 'PackViews'; for labeled data "
        "use MMSegmentation's tools/analysis_tools/browse_dataset.py"
    )


def _draw_mask_sample(inputs: dict, data_sample) -> list[np.ndarray]:
    weak = _to_rgb(inputs['weak'])
    height, width = weak.shape[:2]
    masks = data_sample.masks.numpy()
    rows = np.arange(height) * masks.shape[1] // height
    cols = np.arange(width) * masks.shape[2] // width
    masks = masks[:, rows[:, None], cols]
    pictures = [weak, draw_masks(weak, masks)]
    if 'strong' in inputs:
        pictures.append(draw_masks(_to_rgb(inputs['strong']), masks))
    return pictures


def _draw_view_sample(inputs: dict, data_sample) -> list[np.ndarray]:
    views = [_to_rgb(view) for view in inputs['views']]
    matrices = data_sample.matrices.numpy()
    regions = data_sample.regions.numpy() if 'regions' in data_sample else None
    pictures = []
    # Precomputed features may replace the image.
    if 'image' in inputs:
        image = _to_rgb(inputs['image'])
        if regions is not None:
            image = draw_regions(image, carry_back(regions, matrices, image.shape[:2]))
        pictures.append(draw_frames(image, matrices))
    for i, view in enumerate(views):
        pictures.append(view)
        if regions is not None:
            pictures.append(draw_regions(view, regions[i]))
    return pictures


def carry_back(regions: np.ndarray, matrices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map the regions of views back to their image.

    Args:
        regions: int (V, h, w), regions of the views.
        matrices: (V, 2, 3), from view to image coordinates, see ``RandomView``.
        size: (H, W) of the image.

    Returns:
        int (H, W), -1 outside all views.
    """
    y, x = (2 * (np.arange(side) + 0.5) / side - 1 for side in size)
    points = np.stack(np.meshgrid(x, y), -1)
    found = np.full(size, -1, regions.dtype)
    for view, matrix in zip(regions, matrices.astype(np.float64), strict=True):
        places = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        cols = np.floor((places[..., 0] + 1) / 2 * view.shape[1]).astype(int)
        rows = np.floor((places[..., 1] + 1) / 2 * view.shape[0]).astype(int)
        inside = (rows >= 0) & (rows < view.shape[0]) & (cols >= 0) & (cols < view.shape[1])
        seen = view[rows[inside], cols[inside]]
        found[inside] = np.where(seen >= 0, seen, found[inside])
    return found


def draw_frames(image: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Draw the frames of views on their image."""
    drawn = image.copy()
    height, width = image.shape[:2]
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    for matrix, color in zip(matrices, index_colors(len(matrices)), strict=True):
        pixels = (corners @ matrix.T + 1) / 2 * (width, height) - 0.5
        thickness = max(1, round(max(height, width) / 200))
        frame = pixels.round().astype(np.int32)[:, None]
        cv2.polylines(drawn, [frame], True, color.tolist(), thickness)
    return drawn


def _to_rgb(image: torch.Tensor) -> np.ndarray:
    """Convert a BGR image (3, H, W) to RGB (H, W, 3)."""
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0)[..., ::-1])


def _join(pictures: list[np.ndarray]) -> np.ndarray:
    cells = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * HEIGHT / picture.shape[0]))
        cell = cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_NEAREST)
        cells += [np.full((HEIGHT, GAP, 3), 255, np.uint8), cell]
    return np.hstack(cells[1:])


def browse(
    config: str,
    out: Path,
    limit: int = 16,
    seed: int = 0,
    cfg_options: dict | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Draw the first samples of the training set of a config.

    Args:
        config: Config file.
        out: Output folder, created if needed.
        limit: Number of samples to draw.
        seed: Seed of the augmentations; each sample is seeded on its own.
        cfg_options: Dotted keys and values that override the config.
        overwrite: Replace files that exist.

    Returns:
        Paths of the drawings.

    Raises:
        ValueError: If the pipeline packs other samples, the data cannot be used, or a file of the
            dataset would be overwritten.
        FileExistsError: If a drawing exists and ``overwrite`` is False.
        OSError: If a file is missing or cannot be written.
    """
    cfg = load_config(config, cfg_options=cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    prefixes = getattr(dataset, 'data_prefix', None) or {}
    check_not_input(out, [folder for folder in prefixes.values() if folder])
    inputs = _input_files(dataset) if overwrite else []
    paths = []
    for index in range(min(limit, len(dataset))):
        random.seed(seed + index)
        np.random.seed(seed + index)
        torch.manual_seed(seed + index)
        sample = dataset[index]
        try:
            picture = _join(draw_sample(sample))
        except ValueError as error:
            raise ValueError(f'{config}: {error}') from error
        name = Path(sample['data_samples'].metainfo.get('img_path', 'scene')).stem
        paths.append(out / f'{index:04d}_{name}.png')
        check_no_overwrite([paths[-1]], inputs)
        if not overwrite and os.path.lexists(paths[-1]):
            raise FileExistsError(f"'{paths[-1]}' exists; give an empty folder, or --overwrite")
        content = cv2.imencode('.png', picture[..., ::-1])[1].tobytes()
        write_whole_file(paths[-1], content, replace=overwrite)
    return paths


def _input_files(dataset: BaseDataset) -> list[str]:
    """Return the PNG files of the dataset, which no drawing may replace."""
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    paths = (info.get(key) for info in infos for key in ('img_path', 'mask_path'))
    return [path for path in paths if path and path.endswith('.png')]


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='training config')
    parser.add_argument('out', metavar='OUT', type=Path, help='output folder')
    parser.add_argument('--max', type=positive_int, default=16, help='number of samples to draw')
    parser.add_argument('--seed', type=seed_int, default=0, help='seed of the augmentations')
    parser.add_argument('--overwrite', action='store_true', help='replace files of the same name')
    add_config_options(parser, 'train_dataloader.dataset.data_root=DIR')
    args = parser.parse_args(argv)
    paths = browse(args.config, args.out, args.max, args.seed, args.cfg_options, args.overwrite)
    print(f'{args.out}: {len(paths)} samples drawn')


if __name__ == '__main__':
    run_command(main)
