import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.masks.formats import encode_masks, write_mask_file, write_region_map
from mmseg_langseg.masks.runs import may_replace


@pytest.fixture
def files(tmp_path):
    write_mask_file(tmp_path / 'a.json', encode_masks(np.zeros((1, 4, 5), bool)), (4, 5), 'a.jpg')
    write_region_map(tmp_path / 'a.png', np.zeros((4, 5), int))
    np.save(tmp_path / 'a.npy', np.zeros((2, 3, 4), np.float16))
    return [tmp_path / f'a.{suffix}' for suffix in ('json', 'png', 'npy')]


@pytest.mark.parametrize('length', [0, 1, 9, 25, 40, 100])
def test_what_is_left_of_own_files_may_be_replaced(files, length):
    for path in files:
        path.write_bytes(path.read_bytes()[:length])
        assert may_replace(path)


def test_files_of_another_origin_may_not(files):
    for path in files:
        for content in (b'notes', b'{"mine": 1}', b'\x93NUMPX', b'\x89PNGx'):
            path.write_bytes(content)
            assert not may_replace(path)
    Image.new('RGB', (5, 4)).save(files[1])
    np.save(files[2], np.zeros((2, 3, 4)))
    assert not may_replace(files[1]) and not may_replace(files[2])
