from mmseg_langseg.apis.index_colors import index_colors


def test_colors_of_many_regions_are_unlike():
    colors = index_colors(171).tolist()
    assert len({tuple(color) for color in colors}) > 150
    assert index_colors(20).tolist() == colors[:20]
