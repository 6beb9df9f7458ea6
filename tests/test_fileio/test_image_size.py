import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.fileio import ImageFileError, MaskFileError, decode_image
from mmseg_langseg.masks.formats import read_region_map


def png(width, height, bits=8, color=0, rows=b''):
    """Return a PNG whose header claims a larger size than its data."""
    header = struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, 0)
    blocks = (b'IHDR', header), (b'IDAT', zlib.compress(rows)), (b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in blocks
    )


@pytest.mark.parametrize('sides', [(15_000, 15_000), (2**31 - 1, 1), (65_535, 65_535)])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_bombs_are_refused_before_they_are_decoded(sides, backend, monkeypatch):
    monkeypatch.setattr('mmcv.imfrombytes', lambda *_, **__: pytest.fail('decoded'))
    with pytest.raises(ImageFileError, match=r'too large|expected at most'):
        decode_image(png(*sides, color=2), backend=backend)


@pytest.mark.parametrize('kind', ['BMP', 'TIFF', 'WEBP', 'JPEG', 'GIF'])
def test_images_of_all_kinds_are_decoded(kind):
    content = io.BytesIO()
    Image.new('RGB', (30, 20), (200, 100, 50)).save(content, kind)
    image = decode_image(content.getvalue())
    assert image.shape == (20, 30, 3)
    assert np.abs(image.mean((0, 1)) - (200, 100, 50)).max() < 3


@pytest.mark.parametrize('size', [None, (20, 30)])
def test_large_region_maps_are_refused_before_they_are_decoded(tmp_path, monkeypatch, size):
    path = tmp_path / 'a.png'
    monkeypatch.setattr(Image.Image, 'load', lambda *_: pytest.fail('decoded'))
    for bits in (8, 16):
        path.write_bytes(png(15_000, 15_000, bits))
        with pytest.raises(MaskFileError, match=r'a\.png: .*(too large|bomb|the image has)'):
            read_region_map(path, size)
    path.write_bytes(png(9_000, 9_000))
    with pytest.raises(MaskFileError, match='9000 x 9000, the image has 20 x 30'):
        read_region_map(path, (20, 30))
