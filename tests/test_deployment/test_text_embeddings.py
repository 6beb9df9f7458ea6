"""Text embeddings survive their file."""

import json

import numpy as np

from mmseg_langseg.deployment import TextEmbeddings


def test_the_file_has_the_same_float32_numbers():
    rows = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    rows[0, :3] = 1e-12, -0.0, np.pi
    embeddings = TextEmbeddings(('cat', 'crème brûlée'), (0,) * 20 + (1,) * 30, rows, 'a1')
    content = json.loads(embeddings.to_json().decode('utf-8'))
    assert np.array_equal(np.array(content['embeddings'], np.float32), rows)
    assert content['classes'] == ['cat', 'crème brûlée'] and content['text_encoder'] == 'a1'
    assert content['row_classes'] == [0] * 20 + [1] * 30
