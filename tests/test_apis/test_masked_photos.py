"""Tests for pairing photos with masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.apis.masked_photos import find_masked_photos
from mmseg_langseg.masks.formats import encode_masks, write_mask_file


def _photo(path: Path, size: tuple[int, int] = (12, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def _masks(path: Path, image: str, size: tuple[int, int] = (12, 16), count: int = 1) -> None:
    half = np.zeros((count, *size), bool)
    half[:, : size[0] // 2] = True
    write_mask_file(path, encode_masks(half) if count else [], size, image)


def test_unusable_photos_are_left_out_with_their_reasons(tmp_path):
    root, masks = tmp_path / 'photos', tmp_path / 'masks'
    for name in ('a/1.png', 'a/1.webp', 'other size.png', 'no file.png', 'none.png', 'line\n.png'):
        _photo(root / name)
    (root / 'broken.jpg').write_bytes(b'\xff\xd8\xff not a picture')
    _masks(masks / 'a/1.json', '1.png')
    _masks(masks / 'other size.json', '', (16, 12))
    _masks(masks / 'none.json', 'none.png', count=0)
    found = find_masked_photos(root, masks, tmp_path / 'unused', progress=False)
    assert found.names == ['a/1.png']
    reasons = dict(found.unusable)
    assert set(reasons) == {
        *('a/1.webp', 'broken.jpg', 'line\n.png', 'no file.png', 'none.png', 'other size.png')
    }
    assert reasons['a/1.webp'] == 'a/1.png has the same mask file'
    assert 'cannot be decoded' in reasons['broken.jpg']
    assert 'has no mask' in reasons['none.png']
    assert '16 x 12' in reasons['other size.png']
    (photo,) = found.photos()
    assert photo.load().shape == (12, 16, 3)
    assert photo.masks[0]['size'] == [12, 16]
    assert not (tmp_path / 'unused').exists()


def test_masks_are_generated_once_outside_the_photos(tmp_path):
    root = tmp_path / 'photos'
    _photo(root / 'b.jpg', (40, 50))
    (root / 'bad.jpg').write_bytes(b'not a picture')
    out = root / 'out'
    _photo(out / 'result.png')
    for _ in range(2):
        found = find_masked_photos(root, None, out / 'masks', exclude=out, progress=False)
        assert found.names == ['b.jpg']
        assert [name for name, _ in found.unusable] == ['bad.jpg']
    assert sum(path.suffix == '.json' for path in (out / 'masks').iterdir()) == 1


def test_errors_name_the_folder(tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos/bad.jpg').write_bytes(b'not a picture')
    with pytest.raises(FileNotFoundError, match=r"no folder of masks '.*missing'"):
        find_masked_photos(tmp_path / 'photos', tmp_path / 'missing', '', progress=False)
    with pytest.raises(ValueError, match=r"photos' has no usable photo; the first: bad\.jpg"):
        find_masked_photos(tmp_path / 'photos', tmp_path, '', progress=False)
