import numpy as np
import pytest
from PIL import Image

from tests.test_masks.tiles import NAMES


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(10, 30, 2)
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(path)
    (tmp_path / 'images' / 'notes.txt').write_text('no image')
    (tmp_path / 'images' / '.hidden.png').write_text('no image')
    return tmp_path / 'images'
