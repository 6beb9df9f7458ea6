"""Fuzz target: region map PNGs of all modes and sizes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.fileio import BadFileError
from mmseg_langseg.masks.formats import read_region_map
from mmseg_langseg.masks.generators import regions_to_rles
from tests.fuzz.strategies import mutated_bytes
from tests.fuzz.target import Target

SIZE = (20, 30)


@st.composite
def images(draw: st.DrawFn) -> bytes:
    """Draw image files written by Pillow."""
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    ids = rng.integers(0, 5, SIZE).astype(np.uint8)
    mode = draw(st.sampled_from(('L', 'L', 'I;16', 'I;16', 'P', 'RGB', 'RGBA', '1', 'LA')))
    image = Image.fromarray(ids.astype(np.uint16) if mode == 'I;16' else ids)
    if mode == 'P':
        image.putpalette(list(range(256)) * 3)
    elif mode != 'I;16':
        image = image.convert(mode)
    content = io.BytesIO()
    image.save(
        content, draw(st.sampled_from(('PNG',) * 8 + ('TIFF', 'BMP' if mode == 'L' else 'PNG')))
    )
    return content.getvalue()


@st.composite
def bombs(draw: st.DrawFn) -> bytes:
    """Draw PNGs with an arbitrary header and few or many zero bytes as content."""
    sides = st.sampled_from((0, 1, 20, 30, 15_000, 65_535, 2**31 - 1, 2**32 - 1))
    header = struct.pack(
        '>IIBBBBB',
        draw(sides),
        draw(sides),
        draw(st.sampled_from((1, 2, 4, 8, 16, 32))),
        draw(st.sampled_from((0, 2, 3, 4, 6, 9))),
        *draw(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 2))),
    )
    rows = zlib.compress(bytes(draw(st.sampled_from((10, 620, 1220, 10**6)))))
    blocks = [(b'IHDR', header), (b'IDAT', rows), (b'IEND', b'')]
    if draw(st.booleans()):
        text = b'key\0\0' + zlib.compress(bytes(draw(st.sampled_from((10, 2 * 10**6)))))
        blocks.insert(1, (draw(st.sampled_from((b'zTXt', b'iCCP', b'eXIf', b'PLTE'))), text))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in blocks
    )


def prepare(content: bytes, inputs: Path) -> None:
    (inputs / 'x.png').write_bytes(content)


def run(inputs: Path, out: Path) -> None:
    regions_to_rles(read_region_map(inputs / 'x.png', SIZE))
    regions_to_rles(read_region_map(inputs / 'x.png'))


TARGET = Target(
    images() | mutated_bytes(images()) | bombs() | mutated_bytes(bombs()),
    prepare,
    run,
    (BadFileError,),
    ('x.png',),
)
