"""Fuzz target: COCO annotation files (instances, panoptic), read by the converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.masks.formats import encode_masks, read_mask_file
from tests.fuzz.harness import fill_outside
from tests.fuzz.strategies import HOSTILE_NAMES, mutated_json
from tests.fuzz.target import OUTSIDE, Target
from tests.fuzz.targets.mask_files import counts
from tests.scripts import load_script

SIZE = (20, 30)
TOOL = load_script('tools/dataset_converters/coco_masks.py')
COORDINATES = (0, 5, 29.5, -30, 60, 1e9, -1e9, float('nan'), float('inf'), 1e308, 10**25)


def polygons() -> st.SearchStrategy:
    """Draw polygons inside and far outside of the image."""
    points = st.lists(st.sampled_from(COORDINATES), min_size=4, max_size=12)
    return st.lists(points, max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict:
    """Draw valid annotation files of two images."""
    images = [
        dict(id=i, file_name=name, height=SIZE[0], width=SIZE[1])
        for i, name in enumerate(('x.jpg', 'y.jpg'))
    ]
    if draw(st.booleans()):
        segments = [dict(id=number, category_id=1, iscrowd=0) for number in (7, 256)]
        annotations = [
            dict(image_id=i, file_name=name, segments_info=segments)
            for i, name in enumerate(('x.png', 'y.png'))
        ]
    else:
        rle = encode_masks(np.random.default_rng(0).random((1, *SIZE)) < 0.5)[0]
        kinds = [[[2, 3, 9, 3, 9, 12.5]], rle, dict(size=list(SIZE), counts=[10, 90, 500])]
        annotations = [
            dict(id=i, image_id=i % 2, category_id=1, iscrowd=0, area=9, bbox=[0, 0, 3, 3])
            | dict(segmentation=kinds[i])
            for i in draw(st.lists(st.sampled_from(range(3)), min_size=1, max_size=4))
        ]
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='x')])


def prepare(content: bytes, inputs: Path) -> None:
    (inputs / 'x.json').write_bytes(fill_outside(content, inputs))
    (inputs / 'x').mkdir()
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[:9, :, 0], colors[9:12, :, 1] = 7, 1
    Image.fromarray(colors).save(inputs / 'x/x.png')
    Image.fromarray(colors[:5]).save(inputs / 'x/y.png')


def run(inputs: Path, out: Path) -> None:
    report = TOOL.convert(inputs / 'x.json', out, progress=False)
    report.describe()
    written = [path for path in out.rglob('*.json') if '.manifest' not in path.parts]
    assert len(written) == report.made, 'the report is wrong'
    for path in written:
        read_mask_file(path)
    assert TOOL.convert(inputs / 'x.json', out, progress=False).kept == report.made


NAMES = st.sampled_from((*HOSTILE_NAMES, '../x.png', f'{OUTSIDE}/x.png', 'y.png'))
CASES = mutated_json(documents(), polygons() | counts() | NAMES)
TARGET = Target(CASES, prepare, run, (ValueError,), ('x.json',))
