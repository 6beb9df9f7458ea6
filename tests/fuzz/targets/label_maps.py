"""Fuzz target: label maps with class files and settings, read by dataset, check and loader."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.datasets import FolderSegDataset, LoadLabelMap, check_labels
from tests.fuzz.strategies import HOSTILE_NUMBERS, hostile_values, mixed, mutated_bytes
from tests.fuzz.target import Target
from tests.fuzz.targets.region_maps import bombs, images

SIZE = (20, 30)
NAMES = ('cat', 'dog', 'traffic light', 'Straße', '猫')


def plain_labels() -> st.SearchStrategy:
    """Draw 8-bit label maps with known values, or 16-bit ones."""
    kinds = st.tuples(st.sampled_from((3, 5, 256)), st.sampled_from((np.uint8, np.uint16)))
    return kinds.map(lambda kind: _png(*kind))


def _png(top: int, dtype: type) -> bytes:
    content = io.BytesIO()
    values = np.random.default_rng(0).integers(0, top, SIZE).astype(dtype)
    Image.fromarray(values).save(content, 'PNG')
    return content.getvalue()


@st.composite
def class_files(draw: st.DrawFn) -> bytes:
    """Draw class name files: mostly five names, sometimes thousands, duplicates or binary data."""
    kind = draw(st.sampled_from(('plain',) * 9 + ('any', 'many', 'long', 'twice', 'bytes')))
    lines = list(NAMES)
    if kind == 'any':
        lines = draw(st.lists(st.text(max_size=10), max_size=8))
    elif kind == 'many':
        lines = [f'class {number}' for number in range(draw(st.sampled_from((255, 300, 70_000))))]
    elif kind == 'long':
        lines[0] = 'n' * 10**5
    elif kind == 'twice':
        lines = lines * draw(st.sampled_from((2, 3000)))
    mark = '\ufeff' if draw(st.booleans()) else ''
    end = draw(st.sampled_from(('\n', '\r\n', '\r', '\u2028')))
    content = (mark + end.join(lines)).encode('utf-8', 'surrogatepass')
    return draw(mutated_bytes(st.just(content))) if kind == 'bytes' else content


def settings() -> st.SearchStrategy:
    """Draw arguments of the dataset and the loader."""
    number = st.sampled_from((0, 3, 4, 5, 255, 65535, '2', ' 1', '²', '٣', '9' * 5000))
    number |= st.sampled_from(HOSTILE_NUMBERS) | st.none()
    mapping = st.dictionaries(number, number, max_size=4) | hostile_values()
    plain = st.sampled_from((0, 4, 200, 255))
    dataset = st.fixed_dictionaries(
        {},
        optional=dict(
            ignore_index=plain | number,
            label_mapping=st.dictionaries(plain, plain, max_size=3) | mapping,
        ),
    )
    wrong = st.sampled_from((65535, 0, -1, None, '255')).map(lambda value: dict(ignore_index=value))
    none = st.just({})
    return mixed(
        *(st.tuples(none, none), st.tuples(none, none), st.tuples(dataset, none)),
        st.tuples(dataset, wrong),
    )


def prepare(case: tuple[bytes, bytes, tuple, tuple], inputs: Path) -> None:
    labels, classes, size, chosen = case
    for folder in ('images', 'labels'):
        (inputs / folder).mkdir()
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(inputs / 'images/x.png')
    (inputs / 'labels/x.png').write_bytes(labels)
    (inputs / 'classes.txt').write_bytes(classes)
    (inputs / 'settings.pkl').write_bytes(pickle.dumps(chosen))


def run(inputs: Path, out: Path) -> None:
    chosen, loader = pickle.loads((inputs / 'settings.pkl').read_bytes())
    pipeline = [LoadLabelMap(**loader)]
    dataset = FolderSegDataset('classes.txt', str(inputs), pipeline=pipeline, **chosen)
    check_labels(dataset)
    labels = dataset[0]['gt_seg_map']
    ignored = dataset.ignore_index
    known = (labels >= 0) & (labels < len(dataset.metainfo['classes']))
    assert labels.shape == SIZE and (known | (labels == ignored)).all(), 'a label of no class'


CASES = st.tuples(
    mixed(
        *(plain_labels(), plain_labels(), mutated_bytes(plain_labels())),
        *(images(), bombs(), mutated_bytes(bombs())),
    ),
    class_files(),
    st.sampled_from((SIZE,) * 6 + ((5, 5), (30, 20))),
    settings(),
)
TARGET = Target(
    CASES,
    prepare,
    run,
    (ValueError, FileNotFoundError),
    ('x.png', 'classes.txt', 'ignore_index', 'label_mapping'),
)
