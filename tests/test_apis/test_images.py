import io
import struct
import zlib

import cv2
import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_langseg.apis import read_image, to_rgb

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (10, 14, 3), np.uint8)
GRAY = RNG.integers(0, 256, (10, 14), np.uint8)
ALPHA = RNG.integers(0, 256, (10, 14), np.uint8)


def twin(gray):
    return np.stack([gray] * 3, axis=2)


@pytest.mark.parametrize(
    ('array', 'expected'),
    [
        (RGB, RGB),
        (GRAY, twin(GRAY)),
        (GRAY[..., None], twin(GRAY)),
        (np.dstack([RGB, ALPHA]), RGB),
        (RGB[::-1, ::2], RGB[::-1, ::2]),
        (RGB[:1, :1], RGB[:1, :1]),
    ],
    ids=['rgb', 'gray', 'gray with channel', 'rgba', 'strided', 'one pixel'],
)
def test_arrays_of_one_meaning(array, expected):
    got = to_rgb(array)
    assert got.dtype == np.uint8 and got.flags.c_contiguous
    assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (RGB / 255, r'\(10, 14, 3\) and type float64.*uint8.*\* 255'),
        (RGB.astype(np.float32), r'float32.*uint8'),
        (RGB.astype(np.uint16) * 257, r'uint16.*uint8.*// 256'),
        (RGB.astype(np.int64), r'int64.*uint8'),
        (GRAY > 128, r'bool.*uint8'),
        (np.array([['a']]), r'uint8'),
        (np.zeros((0, 4, 3), np.uint8), r'\(0, 4, 3\).*no pixels'),
        (np.zeros((4, 0), np.uint8), r'\(4, 0\).*no pixels'),
        (np.zeros(0, np.uint8), r'\(0,\)'),
        (np.zeros((), np.uint8), r'shape \(\)'),
        (RGB.transpose(2, 0, 1), r'\(3, 10, 14\).*transpose'),
        (np.dstack([GRAY, ALPHA]), r'\(10, 14, 2\)'),
        (np.dstack([RGB, RGB]), r'\(10, 14, 6\)'),
        (RGB[None], r'\(1, 10, 14, 3\).*one at a time'),
    ],
)
def test_other_arrays_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        to_rgb(array)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (torch.zeros(3, 4, 4), r'torch\.Tensor.*permute'),
        ([RGB, RGB], 'list.*one at a time'),
        ((), 'tuple'),
        (b'\x89PNG', 'bytes.*Image.open'),
        (io.BytesIO(b''), r'io\.BytesIO.*Image.open'),
        (None, 'NoneType'),
        (3, 'int'),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(TypeError, match=message):
        to_rgb(image)


def test_pil_images_of_8_bits():
    image = Image.fromarray(RGB)
    rgba = image.copy()
    rgba.putalpha(Image.fromarray(ALPHA))
    gray = Image.fromarray(GRAY)
    gray_alpha = gray.copy()
    gray_alpha.putalpha(Image.fromarray(ALPHA))
    assert np.array_equal(to_rgb(image), RGB)
    # Colors of transparent pixels count, as in files.
    assert np.array_equal(to_rgb(rgba), RGB)
    assert np.array_equal(to_rgb(gray), twin(GRAY))
    assert gray_alpha.mode == 'LA' and np.array_equal(to_rgb(gray_alpha), twin(GRAY))
    binary = Image.fromarray(GRAY).point(lambda value: value > 99 and 255, '1')
    assert binary.mode == '1' and np.array_equal(to_rgb(binary), twin(np.asarray(binary) * 255))
    palette = image.quantize(16)
    expected = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(palette)]
    assert palette.mode == 'P' and np.array_equal(to_rgb(palette), expected)
    palette.info['transparency'] = 0
    assert np.array_equal(to_rgb(palette), expected)
    palette.info['transparency'] = bytes([0, 128])
    assert np.array_equal(to_rgb(palette), expected)
    for mode in ('CMYK', 'YCbCr', 'HSV'):
        assert np.array_equal(to_rgb(image.convert(mode)), image.convert(mode).convert('RGB'))


@pytest.mark.parametrize('mode', ['I;16', 'I', 'F', 'LAB'])
def test_pil_images_of_other_ranges_are_refused(mode):
    with pytest.raises(ValueError, match=f"'{mode}'.*8 bits"):
        to_rgb(Image.new(mode, (4, 3)))


def test_empty_and_truncated_pil_images(tmp_path):
    with pytest.raises(ValueError, match='empty'):
        to_rgb(Image.new('RGB', (0, 3)))
    path = tmp_path / 'cut.png'
    Image.fromarray(RGB).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r'cut\.png.*cannot be decoded'):
        to_rgb(Image.open(path))


def save_all_kinds(folder):
    """Save image files of all common formats; return them by name."""
    big = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8))
    rgba = big.copy()
    rgba.putalpha(100)
    gray = big.convert('L')
    gray_alpha = gray.convert('LA')
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = big.quantize(8)
    big.save(folder / 'rgb.png')
    big.save(folder / 'UPPER.JPG', format='JPEG')
    big.save(folder / 'turned.jpg', exif=exif)
    big.convert('CMYK').save(folder / 'cmyk.jpg')
    gray.save(folder / 'gray.jpg')
    rgba.save(folder / 'rgba.png')
    gray_alpha.save(folder / 'gray_alpha.png')
    palette.save(folder / 'palette.png', transparency=0)
    big.convert('1').save(folder / 'binary.png')
    big.save(folder / 'lossless.webp', lossless=True)
    big.save(folder / 'rgb.tif')
    deep = RNG.integers(0, 65536, (20, 30, 3), np.uint16)
    cv2.imwrite(str(folder / 'deep.png'), deep)
    cv2.imwrite(str(folder / 'deep_gray.png'), deep[..., 0])
    cv2.imwrite(str(folder / 'deep.tif'), deep)
    return sorted(path.name for path in folder.iterdir())


def test_files_have_the_pixels_of_the_test_pipeline(tmp_path):
    names = save_all_kinds(tmp_path)
    assert len(names) == 14
    for name in names:
        got = read_image(tmp_path / name)
        expected = mmcv.imread(str(tmp_path / name), channel_order='rgb')
        assert np.array_equal(got, expected), name
    assert read_image(tmp_path / 'turned.jpg').shape == (30, 20, 3)
    assert np.array_equal(to_rgb(str(tmp_path / 'rgb.png')), Image.open(tmp_path / 'rgb.png'))


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new('RGB', (8, 8), color) for color in ('red', 'blue')]
    path = tmp_path / 'moving.gif'
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert np.array_equal(read_image(path), np.full((8, 8, 3), (255, 0, 0)))


def test_files_with_unknown_ranges_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / 'float.tif'), RGB.astype(np.float32) / 255)
    Image.fromarray(GRAY.astype(np.float32)).save(tmp_path / 'gray_float.tif')
    Image.fromarray(GRAY.astype(np.int32)).save(tmp_path / 'integer.tif')
    for name in ('float.tif', 'gray_float.tif', 'integer.tif'):
        with pytest.raises(ValueError, match=name):
            read_image(tmp_path / name)


def bomb(side):
    """Return a valid PNG of a few hundred bytes that claims ``side * side`` pixels."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', check)

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0))
    data = chunk(b'IDAT', zlib.compress(bytes(side + 1)))
    return b'\x89PNG\r\n\x1a\n' + header + data + chunk(b'IEND', b'')


def test_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr('mmseg_langseg.apis.images.decode_image', None)
    path = tmp_path / 'bomb.png'
    path.write_bytes(bomb(30_000))
    with pytest.raises(ValueError, match=r'bomb\.png.*MAX_IMAGE_PIXELS'):
        read_image(path)


def test_folder_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(IsADirectoryError, match=f"{tmp_path}' is a folder"):
        read_image(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg'):
        read_image(tmp_path / 'gone.jpg')
    Image.fromarray(RGB).resize((300, 200)).save(tmp_path / 'whole.jpg')
    half = (tmp_path / 'whole.jpg').read_bytes()[:2000]
    for name, content in (('text.jpg', b'no image'), ('empty.jpg', b''), ('cut.jpg', half)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name}.*cannot be decoded'):
            read_image(tmp_path / name)


def test_a_picture_with_a_wrong_transparency_is_named():
    picture = Image.new('1', (2, 2))
    picture.info['transparency'] = b'\0\1'
    with pytest.raises(ValueError, match=r"PIL image of mode '1' cannot be decoded"):
        to_rgb(picture)
