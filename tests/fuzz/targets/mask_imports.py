"""Fuzz target: annotation files of other tools (COCO JSON, zips of CVAT), imported as a folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.apis.import_run import ImportReport, import_annotations
from mmseg_langseg.datasets import FolderSegDataset, LoadLabelMap
from tests.fuzz.harness import fill_outside
from tests.fuzz.strategies import HOSTILE_NAMES, mutated_bytes, mutated_json
from tests.fuzz.target import OUTSIDE, Target
from tests.fuzz.targets.coco_files import SIZE, documents, polygons
from tests.fuzz.targets.mask_files import counts

LABEL_MAP = '# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n猫:9,9,9::\n'
COLORS = np.array([[0, 0, 0], [250, 50, 83], [9, 9, 9]], np.uint8)
MASKS = 'SegmentationClass/'


def _mask(kind: str, size: tuple[int, int]) -> bytes:
    lines = np.random.default_rng(0).integers(0, 3, size).astype(np.uint8)
    picture = Image.fromarray(lines if kind in ('L', 'P') else COLORS[lines])
    if kind == 'P':
        picture.putpalette(COLORS.tobytes())
    content = io.BytesIO()
    (picture if kind == 'P' else picture.convert(kind)).save(content, 'PNG')
    return content.getvalue()


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Draw zips of CVAT with masks of all modes and hostile names, some of them damaged."""
    kinds = st.sampled_from(('RGB', 'RGB', 'P', 'L', 'RGBA', 'LA', 'I;16'))
    entries = {'labelmap.txt': LABEL_MAP.encode()}
    for name in ('x', draw(st.sampled_from(('y', 'y', *HOSTILE_NAMES)))):
        kind = draw(kinds)
        size = draw(st.sampled_from((SIZE,) * 6 + (SIZE[::-1],)))
        entries[f'{MASKS}{name}.png'] = _mask(kind, size)
    entries['ImageSets/Segmentation/default.txt'] = b'x\n'
    for name in entries:
        if draw(st.integers(0, 9)) == 0:
            entries[name] = draw(mutated_bytes(st.just(entries[name])))
    if draw(st.integers(0, 9)) == 0:
        entries[f'{MASKS}x.png'] = bytes(2**26)
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', draw(st.sampled_from((8, 8, 8, 14)))) as archive:
        for name, part in entries.items():
            try:
                archive.writestr(name, part)
            except UnicodeEncodeError:
                archive.writestr('y.png', part)
    data = content.getvalue()
    return draw(mutated_bytes(st.just(data))) if draw(st.integers(0, 3)) == 0 else data


def prepare(content: bytes, inputs: Path) -> None:
    is_zip = content.startswith(b'PK')
    (inputs / 'annotations').write_bytes(content if is_zip else fill_outside(content, inputs))
    (inputs / 'photos').mkdir()
    for name in ('x.jpg', 'y.jpg'):
        Image.new('RGB', SIZE[::-1]).save(inputs / 'photos' / name)


def run(inputs: Path, out: Path) -> None:
    def import_all() -> ImportReport:
        return import_annotations(inputs / 'annotations', inputs / 'photos', out, quiet=True)

    report = import_all()
    prefix = dict(img_path='val/images', seg_map_path='val/labels')
    dataset = FolderSegDataset('classes.txt', str(out), prefix, pipeline=[LoadLabelMap()])
    assert tuple(dataset.metainfo['classes']) == report.classes, 'other classes are read'
    assert len(dataset) == report.written, 'images are missing'
    for sample in dataset:
        labels = sample['gt_seg_map']
        assert labels.shape == SIZE, 'a label map of another size'
        assert ((labels < len(report.classes)) | (labels == 255)).all(), 'a label of no class'
    assert import_all().kept == report.written, 'a second run writes again'


NAMES = st.sampled_from((*HOSTILE_NAMES, '../x.png', f'{OUTSIDE}/x.png', 'y.jpg'))
CASES = archives() | mutated_json(documents(), polygons() | counts() | NAMES)
TARGET = Target(CASES, prepare, run, (ValueError,), ('annotations',))
