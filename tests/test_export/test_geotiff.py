import json
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.export import GeoTIFFExporter, class_colors
from tests.test_export.conftest import CLASSES, export, make_result


@pytest.fixture
def rasterio():
    module = pytest.importorskip('rasterio')
    pytest.importorskip('rasterio.transform')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', module.errors.NotGeoreferencedWarning)
        yield module


def write_input(rasterio, path, size, **georeference):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = dict(driver='GTiff', height=size[0], width=size[1], count=3, dtype='uint8')
    with rasterio.open(path, 'w', **profile, **georeference) as file:
        file.write(np.full((3, *size), 7, np.uint8))


def test_rasterio_reads_pixels_and_georeference(rasterio, results, tmp_path):
    transform = rasterio.transform.from_origin(500000.5, 4649776, 0.25, 0.5)
    results = {name.rpartition('.')[0] + '.tif': result for name, result in results.items()}
    for name, result in results.items():
        size = result.labels.shape
        write_input(rasterio, tmp_path / 'in' / name, size, crs='EPSG:32633', transform=transform)
    exporter = GeoTIFFExporter(tmp_path / 'out', CLASSES, image_root=tmp_path / 'in')
    (path,) = export(exporter, results)
    assert path.read_text(encoding='utf-8').splitlines() == list(CLASSES)
    for name, result in results.items():
        with rasterio.open(exporter.path(name)) as file:
            assert file.crs == rasterio.crs.CRS.from_epsg(32633) and file.transform == transform
            assert file.dtypes == ('uint8',) and file.nodata is None
            assert np.array_equal(file.read(1), result.labels)
            assert json.loads(file.tags()['classes']) == list(CLASSES)
            colors = file.colormap(1)
            expected = class_colors(CLASSES).tolist()
            assert [list(colors[i][:3]) for i in range(5)] == expected


def test_ground_control_points(rasterio, tmp_path):
    point = rasterio.control.GroundControlPoint
    points = [point(0, 0, 10, 50), point(0, 4, 11, 50), point(3, 0, 10, 49), point(3, 4, 11, 49)]
    write_input(rasterio, tmp_path / 'a.tif', (3, 4), gcps=points, crs='EPSG:4326')
    exporter = GeoTIFFExporter(tmp_path / 'out', CLASSES, image_root=tmp_path)
    export(exporter, {'a.tif': make_result(np.zeros((3, 4)))})
    with rasterio.open(exporter.path('a.tif')) as file:
        found, crs = file.gcps
        assert crs.to_epsg() == 4326
        assert [(p.row, p.col, p.x, p.y) for p in found] == [
            (p.row, p.col, p.x, p.y) for p in points
        ]


@pytest.mark.parametrize('root', [True, False])
def test_without_georeference(root, rasterio, recwarn, tmp_path):
    Image.new('RGB', (2, 1)).save(tmp_path / 'a.png')
    exporter = GeoTIFFExporter(tmp_path / 'out', CLASSES, image_root=tmp_path if root else None)
    export(exporter, {'a.png': make_result([[0, 4]])})
    with rasterio.open(exporter.path('a.png')) as file:
        assert file.crs is None and file.transform.is_identity
        assert file.read(1).tolist() == [[0, 4]]


def test_300_classes(rasterio, many, tmp_path):
    exporter = GeoTIFFExporter(tmp_path, many.classes)
    export(exporter, {'a.png': many})
    with rasterio.open(exporter.path('a.png')) as file:
        assert file.dtypes == ('uint16',) and np.array_equal(file.read(1), many.labels)


def test_another_size_or_no_image(rasterio, tmp_path):
    transform = rasterio.transform.from_origin(0, 0, 1, 1)
    write_input(rasterio, tmp_path / 'a.tif', (3, 4), crs='EPSG:32633', transform=transform)
    exporter = GeoTIFFExporter(tmp_path / 'out', CLASSES, image_root=tmp_path)
    with pytest.raises(ValueError, match=r'4x3.*2x1'):
        exporter.add('a.tif', make_result([[0, 4]]))
    with pytest.raises(FileNotFoundError, match='image_root'):
        exporter.add('b.tif', make_result([[0, 4]]))


def test_without_rasterio(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'rasterio', None)
    with pytest.raises(ImportError, match=r'mmseg_langseg\[geo\]'):
        GeoTIFFExporter(tmp_path, CLASSES)
