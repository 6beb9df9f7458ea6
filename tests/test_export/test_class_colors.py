import numpy as np

from mmseg_langseg.export import class_colors


def test_the_color_depends_on_the_name_only():
    first = class_colors(('cat', 'Bäume', '草地'))
    second = class_colors(('草地', 'dog', 'cat', 'Bäume'))
    assert np.array_equal(first, second[[2, 3, 0]])
    # The same in later versions, too.
    assert class_colors(('cat',)).tolist() == [[94, 222, 157]]


def test_colors_are_distinct_and_not_black():
    colors = class_colors([f'class {i}' for i in range(20000)])
    assert colors.shape == (20000, 3) and colors.dtype == np.uint8
    assert len(np.unique(colors, axis=0)) == 20000 and colors.max(1).min() > 150


def test_no_class():
    assert class_colors(()).shape == (0, 3)
