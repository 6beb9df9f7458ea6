"""Precompute the dense CLIP features that train a CLIP-S4 or MaskCLIP+ config.

    python tools/dataset_converters/precompute_clip_features.py configs/clips4/r50_voc.py OUT
    python tools/dataset_converters/precompute_clip_features.py CONFIG OUT --shard 3/8

Runs the frozen teacher once over the training images. One file per image, float16 (D, h, w), in the
folder tree of the images. Complete files are kept, so interrupted runs resume where they stopped;
other files are never overwritten. configs/clips4/README.md shows the config that trains with them.
"""

import argparse
import hashlib
import io
import os
from pathlib import Path

from mmseg_langseg.apis.command_line import (
    add_config_options,
    command_parser,
    device_name,
    run_command,
)
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.fileio import ImageFileError, remove_leftovers, write_whole_file
from mmseg_langseg.masks.runs import GenerationManifest, may_replace, parse_shard
from mmseg_langseg.models.utils import FrozenTower

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS, TRANSFORMS
from torch import Tensor
from tqdm import tqdm


class Teacher:
    """Frozen teacher with the image preprocessing of a training with this config."""

    def __init__(self, cfg: Config, device: str) -> None:
        if cfg.model.get('teacher') is None:
            raise ValueError(
                f'{cfg.filename}: model.teacher is None; give a config with the teacher to '
                'compute features with, such as configs/clips4/r50_voc.py'
            )
        tower = {**cfg.model.get('clip', {}), **cfg.model.teacher}
        self.tower = FrozenTower(tower).to(device)
        self.preprocessor = MODELS.build(cfg.model.data_preprocessor).to(device)
        loaders = [
            step
            for step in cfg.train_dataloader.dataset.pipeline
            if step.type in ('LoadUnlabeledImage', 'LoadImageFromFile')
        ]
        if len(loaders) != 1:
            raise ValueError(f'{cfg.filename}: its pipeline has no LoadUnlabeledImage')
        self.load = TRANSFORMS.build(loaders[0])
        self.settings = dict(
            teacher=tower,
            weights=self._digest(),
            loader=loaders[0],
            mean=self.preprocessor.mean.flatten().tolist(),
            std=self.preprocessor.std.flatten().tolist(),
            bgr_to_rgb=self.preprocessor.bgr_to_rgb,
            teacher_size=self.preprocessor.teacher_size,
        )

    def _digest(self) -> str:
        """Return a hash that identifies the weights of a teacher, including random ones."""
        digest = hashlib.sha256()
        for parameter in self.tower.tower.parameters():
            digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def __call__(self, path: str) -> Tensor:
        """Return the features (D, h, w) of an image file."""
        image = self.load(dict(img_path=path))['img']
        image = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        # The preprocessor needs views as well; they do not change the input of the teacher.
        batch = dict(inputs=dict(views=[image[None]], image=[image]))
        return self.tower(self.preprocessor(batch, True)['inputs']['image'])[0]


def list_images(cfg: Config, out: Path) -> dict[str, Path]:
    """Return the training images of a config and their feature files, sorted.

    Raises:
        ValueError: Two images would share a file, or the dataset has no image files.
    """
    dataset = cfg.train_dataloader.dataset.copy()
    # Without the feature files, which this run creates.
    if dataset.get('data_prefix'):
        dataset.data_prefix.pop('feature_path', None)
    dataset = DATASETS.build(dataset)
    root = dataset.data_prefix.get('img_path')
    if not root:
        raise ValueError(f'{cfg.filename}: its {type(dataset).__name__} has no image files')
    files, owner = {}, {}
    for index in range(len(dataset)):
        image = dataset.get_data_info(index)['img_path']
        file = (out / os.path.relpath(image, root)).with_suffix('.npy')
        if file in owner:
            raise ValueError(f'{owner[file]} and {image} would have the same feature file')
        owner[file] = image
        files[image] = file
    return dict(sorted(files.items()))


def is_complete(path: Path, width: int) -> bool:
    """Whether a feature file is complete: memory-mapping fails if bytes are missing."""
    try:
        features = np.load(path, mmap_mode='r', allow_pickle=False)
    except Exception:  # Files of other kinds raise various errors.
        return False
    if not isinstance(features, np.ndarray):
        return False
    return features.ndim == 3 and features.shape[0] == width and features.dtype == np.float16


def look_up(files: dict[str, Path], width: int) -> list[str]:
    """Remove leftovers of killed runs and return the images to process.

    Raises:
        ValueError: A file was not made by this tool.
    """
    folders: dict[Path, set[str]] = {}
    for path in files.values():
        folders.setdefault(path.parent, set()).add(path.name)
    for folder, names in folders.items():
        if folder.is_dir():
            remove_leftovers(folder, names)
    todo = {image: path for image, path in files.items() if not is_complete(path, width)}
    for path in todo.values():
        if os.path.lexists(path) and not may_replace(path):
            raise ValueError(
                f"'{path}' exists and was not made by this tool; remove it, or give an empty folder"
            )
    return list(todo)


def write_features(path: Path, features: Tensor) -> int:
    """Write features as float16 and return the number of bytes."""
    content = io.BytesIO()
    np.save(content, features.half().cpu().numpy())
    write_whole_file(path, content.getvalue())
    return content.tell()


def precompute(args: argparse.Namespace) -> dict[str, int]:
    """Write the files of a shard; return counts of new, kept and unusable ones."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    index, count = args.shard
    files = dict(list(list_images(cfg, args.out).items())[index::count])
    teacher = Teacher(cfg, args.device)
    manifest = GenerationManifest(args.out, args.shard)
    manifest.start(teacher.settings, ('torch', 'open_clip_torch'), files.values())
    todo = look_up(files, teacher.tower.embed_dim)
    counts = dict(images=len(files), kept=len(files) - len(todo), made=0, bytes=0)
    unreadable = []
    bar = tqdm(
        todo,
        total=len(files),
        initial=counts['kept'],
        desc=f'features {index}/{count}',
        unit='image',
        disable=args.quiet,
    )
    for image in bar:
        try:
            features = teacher(image)
        except ImageFileError as error:
            unreadable.append((image, str(error)))
            continue
        counts['bytes'] += write_features(files[image], features)
        counts['made'] += 1
    kept = dict(images=counts['images'], files=counts['kept'] + counts['made'])
    manifest.finish({**kept, 'unreadable': len(unreadable)}, unreadable)
    return {**counts, 'unreadable': len(unreadable)}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='training config with a teacher')
    parser.add_argument('out', metavar='OUT', type=Path, help='output folder')
    parser.add_argument(
        '--shard', type=parse_shard, default=(0, 1), metavar='I/N', help='shard: 0/N to N-1/N'
    )
    parser.add_argument(
        '--device', type=device_name, default=get_device(), help='default: a GPU if there is one'
    )
    add_config_options(parser, 'model.clip.pretrained=ViT-B-16.pt')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, int]:
    args = parse_args(argv)
    counts = precompute(args)
    print(
        f'{args.out}: {counts["images"]} images, {counts["made"]} files made '
        f'({counts["bytes"] / 2**20:.1f} MiB), {counts["kept"]} kept, '
        f'{counts["unreadable"]} could not be used'
    )
    if counts['unreadable']:
        print(f"they are listed in '{args.out / '.manifest'}'")
    return counts


if __name__ == '__main__':
    run_command(main)
