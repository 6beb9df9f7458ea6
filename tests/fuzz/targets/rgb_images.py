"""Fuzz target: in-memory images and other objects, converted as in the inferencer."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.apis.images import to_rgb
from tests.fuzz.strategies import HOSTILE_NAMES, hostile_values, mutated_bytes
from tests.fuzz.target import Target
from tests.fuzz.targets import image_files
from tests.fuzz.targets.region_maps import bombs

TYPES = ('?', 'i1', 'u2', '>u2', 'i8', 'f2', 'f4', 'f8', 'c8', 'O', 'S3', 'U2', 'M8[s]', 'u1,f4')
MODES = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr', 'HSV')
MODES += ('LAB', 'I', 'F', 'I;16', 'I;16B')
SIDES = st.sampled_from((0, 1, 2, 3, 4, 5, 7, 200))


@st.composite
def arrays(draw: st.DrawFn) -> tuple:
    """Draw the description of an array."""
    kind = draw(st.sampled_from(('u1', 'u1', 'u1', '|u1', *TYPES)))
    shape = draw(st.lists(SIDES, max_size=5))
    if draw(st.booleans()):
        shape = [*draw(st.tuples(SIDES, SIDES)), *draw(st.sampled_from(((), (1,), (3,), (4,))))]
    if np.prod(shape) > 10**6:
        shape = shape[:2]
    view = draw(
        st.sampled_from(('plain', 'plain', 'turned', 'every', 'mask', 'constant', 'spread'))
    )
    return 'array', kind, tuple(shape), view


def make_array(kind: str, shape: tuple, view: str) -> np.ndarray:
    array = np.zeros(shape, kind)
    if view == 'turned':
        array = array.T[::-1] if array.ndim else array
    elif view == 'every':
        array = array[::2] if array.ndim else array
    elif view == 'mask':
        array = np.ma.masked_array(array)
    elif view == 'constant':
        array.flags.writeable = False
    elif view == 'spread' and array.size:
        array = np.broadcast_to(array.reshape(-1)[:1], (9, 9, 3))
    return array


def make_picture(mode: str, size: tuple, info: dict) -> Image.Image:
    picture = Image.new(mode, size)
    picture.info.update(info)
    return picture


def make(case: tuple) -> Any:
    """Build the object from its description."""
    kind, *parts = case
    if kind == 'array':
        return make_array(*parts)
    if kind == 'picture':
        return make_picture(*parts)
    if kind == 'lazy':
        return Image.open(io.BytesIO(parts[0]))
    if kind == 'tensor':
        return torch.zeros(parts[0])
    return parts[0]


def prepare(case: tuple, inputs: Path) -> None:
    (inputs / 'case.pkl').write_bytes(pickle.dumps(case))


def run(inputs: Path, out: Path) -> None:
    case = pickle.loads((inputs / 'case.pkl').read_bytes())
    try:
        image = make(case)
    except Exception as error:
        raise NoImage(f'no image to begin with: {error}') from error
    rgb = to_rgb(image)
    assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.size
    assert type(rgb) is np.ndarray and rgb.flags.c_contiguous
    rgb.sum()


class NoImage(ValueError):
    """Raised when Pillow or numpy cannot build the object."""


INFO = st.sampled_from(
    ({}, {}, dict(transparency=0), dict(transparency=b'\0\1'), dict(icc_profile=b'x'))
)
FILES = image_files.images() | mutated_bytes(image_files.images()) | bombs()
CASES = st.one_of(
    arrays(),
    st.tuples(st.just('picture'), st.sampled_from(MODES), st.tuples(SIDES, SIDES), INFO),
    st.tuples(st.just('lazy'), FILES),
    st.tuples(st.just('tensor'), st.lists(st.integers(0, 5), max_size=4)),
    st.tuples(st.just('value'), st.sampled_from(HOSTILE_NAMES) | hostile_values() | st.binary()),
)
TARGET = Target(CASES, prepare, run, (ValueError, TypeError, OSError), ('mage', 'too long'))
