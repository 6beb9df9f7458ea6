import numpy as np
import pytest

from mmseg_langseg.export.brush_rle import encode_brush_rle


def decode(code):
    """Decode as described in ``decode`` of rle-pack."""
    bits = np.unpackbits(np.array(code, np.uint8))
    place = 0

    def read(count):
        nonlocal place
        place += count
        assert place <= len(bits)
        return int(''.join(map(str, bits[place - count : place])), 2)

    num, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    out = []
    while len(out) < num:
        is_run, length = read(1), read(sizes[read(2)]) + 1
        out += [read(word)] * length if is_run else [read(word) for _ in range(length)]
    assert len(bits) - place < 8
    return np.array(out, np.uint8)


def masks():
    rng = np.random.default_rng(0)
    yield np.array([[True]])
    yield np.array([[False]])
    yield np.ones((200, 200), bool)
    yield np.ones((128, 128), bool)  # exactly the longest run
    for share in (0.01, 0.3, 0.9):
        yield rng.random((41, 67)) < share
    for length in (1, 2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 32768, 32769):
        yield np.arange(length + 2)[None] < length


@pytest.mark.parametrize('mask', masks())
def test_decoded_mask_is_the_mask(mask):
    pixels = decode(encode_brush_rle(mask)).reshape(*mask.shape, 4)
    assert np.array_equal(pixels, np.where(mask, 255, 0)[..., None].repeat(4, 2))


@pytest.mark.parametrize('mask', masks())
def test_label_studio_sdk_decodes_the_mask(mask):
    brush = pytest.importorskip('label_studio_sdk.converter.brush')
    code = encode_brush_rle(mask)
    pixels = brush.decode_rle(code).reshape(*mask.shape, 4)
    assert np.array_equal(pixels[..., 3] == 255, mask)
