import io

import numpy as np
from PIL import Image

from mmseg_langseg.export import encode_label_png


def test_pillow_reads_labels_and_palette():
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    picture = Image.open(io.BytesIO(encode_label_png(labels, palette)))
    assert picture.mode == 'P' and np.array_equal(np.asarray(picture), labels)
    assert np.array_equal(np.asarray(picture.convert('RGB')), palette[labels])
    wide = labels.astype(np.uint16) * 257
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_label_png(wide)))), wide)
