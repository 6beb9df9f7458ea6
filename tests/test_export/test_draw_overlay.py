from dataclasses import replace

import numpy as np
import pytest

from mmseg_langseg.export import (
    SegmentationResult,
    class_colors,
    class_shares,
    color_classes,
    draw_overlay,
)


def result(height=60, width=80):
    image = np.full((height, width, 3), 200, np.uint8)
    labels = np.zeros((height, width), np.int64)
    labels[:, width // 4 :] = 2
    return SegmentationResult(image, labels, ('cat', 'dog', 'grass'))


def test_overlay_blends_each_pixel_with_its_class_color():
    given = result()
    picture = np.asarray(draw_overlay(given, opacity=0.25))[:60, :80].astype(float)
    colors = class_colors(('cat', 'dog', 'grass'))
    for y, x in ((0, 0), (30, 19), (30, 20), (59, 79)):
        expected = 0.75 * 200 + 0.25 * colors[given.labels[y, x]].astype(float)
        assert np.abs(picture[y, x] - expected).max() <= 0.5
    assert np.array_equal(np.asarray(draw_overlay(given, opacity=0))[:60, :80], given.image)


def test_legend_lists_the_found_classes_from_large_to_small(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'PIL.ImageDraw.ImageDraw.text', lambda self, place, text, **_: lines.append(text)
    )
    picture = draw_overlay(result())
    assert lines == ['grass 75.0%', 'cat 25.0%']
    assert picture.width > 80 and picture.height >= 60


def test_swatches_have_the_class_colors():
    legend = np.asarray(draw_overlay(result()))[:, 80:].reshape(-1, 3).tolist()
    colors = class_colors(('cat', 'dog', 'grass')).tolist()
    assert colors[0] in legend and colors[2] in legend and colors[1] not in legend


def test_opacity_out_of_range():
    with pytest.raises(ValueError, match=r'1\.5'):
        draw_overlay(result(), opacity=1.5)


def test_a_class_has_the_same_color_in_every_vocabulary():
    given = result()
    other = replace(given, labels=np.where(given.labels == 2, 0, 1), classes=('grass', 'cat'))
    first, second = (np.asarray(draw_overlay(r, opacity=1))[:60, :80] for r in (given, other))
    assert np.array_equal(first, second)


def test_long_names_are_shortened():
    widths = [
        draw_overlay(replace(result(), classes=('x' * length, 'dog', 'grass'))).width
        for length in (61, 10_000)
    ]
    assert widths[0] == widths[1] < 1000


def test_hidden_classes_show_the_image():
    given = result()
    whole = np.asarray(color_classes(given))
    assert np.array_equal(whole, np.asarray(draw_overlay(given))[:60, :80])
    grass = np.asarray(color_classes(given, shown=['grass', 'dog']))
    assert np.array_equal(grass[:, 20:], whole[:, 20:])
    assert np.array_equal(grass[:, :20], given.image[:, :20])
    assert class_shares(given) == {2: 0.75, 0: 0.25}
