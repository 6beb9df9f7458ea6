"""Six image names (nested folders, mixed suffixes), and a minimal mask generator."""

from pathlib import Path

import numpy as np

from mmseg_langseg.datasets.transforms.load_unlabeled_image import LoadUnlabeledImage
from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import SuperpixelGenerator
from mmseg_langseg.masks.runs import generate_masks

NAMES = ['a/1.jpg', 'a/2.png', 'a/deep/3.JPEG', 'b/4.jpg', 'b/1.jpg', '5.png']


def four_tiles(image):
    """Return the image's quadrants as regions, numbered by brightness."""
    height, width = image.shape[:2]
    cells = (np.arange(height)[:, None] * 2 // height) * 2 + np.arange(width) * 2 // width
    means = [image[cells == i].mean() if (cells == i).any() else 0 for i in range(4)]
    return np.argsort(np.argsort(means))[cells].astype(np.int32)


def run(images, out, file_format='sa1b', shard=(0, 1), make=four_tiles, **kwargs):
    source = open_image_source(images, exclude=out, **kwargs)
    generator = SuperpixelGenerator(make)
    return generate_masks(source, out, generator, 'tiles', file_format, shard, progress=False)


def tree(folder):
    """Return all files below a folder and their contents."""
    folder = Path(folder)
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def masks_of(out):
    return {name: content for name, content in tree(out).items() if '.manifest' not in name}


def load_as_trainer(path):
    return LoadUnlabeledImage().transform(dict(img_path=str(path)))['img']
