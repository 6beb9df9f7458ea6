import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.export import OverlayExporter, class_colors, draw_overlay
from tests.test_export.conftest import CLASSES, export


def test_files_are_the_overlays(results, tmp_path):
    exporter = OverlayExporter(tmp_path, CLASSES, opacity=0.3)
    assert export(exporter, results) == []
    for name, result in results.items():
        with Image.open(exporter.path(name)) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(draw_overlay(result, 0.3)))


def test_full_opacity_shows_the_class_colors(results, tmp_path):
    exporter = OverlayExporter(tmp_path, CLASSES, opacity=1)
    export(exporter, results)
    for name, result in results.items():
        height, width = result.labels.shape
        with Image.open(exporter.path(name)) as picture:
            pixels = np.asarray(picture)[:height, :width]
        assert np.array_equal(pixels, class_colors(CLASSES)[result.labels])


def test_opacity_out_of_range(tmp_path):
    with pytest.raises(ValueError, match=r'1\.5'):
        OverlayExporter(tmp_path, CLASSES, opacity=1.5)
