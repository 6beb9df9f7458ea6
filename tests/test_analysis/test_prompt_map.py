import json

import numpy as np
import pytest

from mmseg_langseg.analysis import PromptMap, draw_prompt_map
from mmseg_langseg.analysis.markdown_table import markdown_table
from mmseg_langseg.apis.index_colors import index_colors
from tests.test_analysis.test_word_embeddings import words_of


@pytest.fixture(scope='module')
def groups():
    """Three groups of nearly equal words, with a prompt in each."""
    rng = np.random.default_rng(0)
    centers = words_of(rng.normal(size=(3, 16))).rows
    words = words_of(np.repeat(centers, 6, 0) + rng.normal(size=(18, 16)) * 0.05)
    return centers, words


def test_prompts_are_among_their_words(groups):
    centers, words = groups
    found = PromptMap.create(centers, words, count=4)
    distances = np.linalg.norm(found.prompts[:, None] - found.places[None], axis=2)
    assert (distances.reshape(3, 3, 6).mean(2).argmin(1) == np.arange(3)).all()
    for group, nearest in enumerate(found.nearest):
        assert len(nearest) == 4 and {near.index // 6 for near in nearest} == {group}
    again = PromptMap.create(centers, words, count=4)
    assert np.array_equal(again.prompts, found.prompts)
    assert json.loads(json.dumps(found.record()))['tsne']['seed'] == 0
    assert '| 2 | word ' in found.table() and 'masks' not in found.table()


def test_counts_set_the_size_of_circles(groups):
    centers, words = groups
    found = PromptMap.create(centers, words, np.array([400, 0, 100]))
    assert '| 0 | 400 | word ' in found.table()
    assert [prompt['masks'] for prompt in found.record()['prompts']] == [400, 0, 100]
    picture, shown = draw_prompt_map(found)
    assert shown == 18 and picture.size == (1280, 960)
    # Circles of three colors, of a radius of 20, 9 and 10 pixels, with their numbers.
    pixels = np.asarray(picture.convert('RGB')).reshape(-1, 3)
    areas = [int((abs(pixels - color.astype(int)) < 8).all(1).sum()) for color in index_colors(3)]
    assert 950 < areas[0] < 1260 and all(100 < area < 320 for area in areas[1:])


def test_few_and_equal_rows_have_places():
    found = PromptMap.create(words_of(np.ones((1, 4))).rows, words_of(np.ones((3, 4))))
    assert np.isfinite(found.prompts).all() and np.isfinite(found.places).all()
    draw_prompt_map(found)


def test_too_few_rows_are_an_error():
    with pytest.raises(ValueError, match=r'3 prompts and words are too few'):
        PromptMap.create(words_of(np.eye(2)).rows[:1], words_of(np.eye(2)))


def test_cells_of_a_table_cannot_break_it():
    assert markdown_table(['a'], [['x|y'], [3]]) == '| a |\n| --- |\n| x\\|y |\n| 3 |\n'
