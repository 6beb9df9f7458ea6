"""Fuzz target: image files, damaged and oversized ones too, read by the training loader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.datasets.transforms import LoadUnlabeledImage
from mmseg_langseg.fileio import BadFileError
from tests.fuzz.strategies import mutated_bytes
from tests.fuzz.target import Target
from tests.fuzz.targets.region_maps import bombs

KINDS = ('JPEG', 'PNG', 'BMP', 'TIFF', 'WEBP', 'GIF', 'PPM', 'JPEG2000')


@st.composite
def images(draw: st.DrawFn) -> bytes:
    """Draw image files written by Pillow."""
    kind = draw(st.sampled_from(KINDS))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    modes = ('RGB', 'L') if kind in ('JPEG', 'PPM', 'JPEG2000') else ('RGB', 'L', 'P', '1')
    content = io.BytesIO()
    image.convert(draw(st.sampled_from(modes))).save(content, kind)
    return content.getvalue()


def prepare(content: bytes, inputs: Path) -> None:
    (inputs / 'x.jpg').write_bytes(content)


def run(inputs: Path, out: Path) -> None:
    for backend in ('cv2', 'pillow'):
        load = LoadUnlabeledImage(imdecode_backend=backend)
        image = load(dict(img_path=str(inputs / 'x.jpg')))['img']
        assert image.ndim == 3 and image.dtype == np.uint8, 'an image of another kind'


TARGET = Target(
    images() | mutated_bytes(images()) | bombs(), prepare, run, (BadFileError,), ('x.jpg',)
)
