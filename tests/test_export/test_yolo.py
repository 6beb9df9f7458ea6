import cv2
import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from mmseg_langseg.export import YOLOExporter
from tests.test_export.conftest import CLASSES, export, make_result


def fill_cv2(polygon, size):
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [polygon.astype(np.int32)], 1)
    return mask.astype(bool)


def fill_rounded(polygon, size):
    return fill_cv2(np.round(polygon), size)


def fill_pil(polygon, size):
    picture = Image.new('1', size[::-1])
    ImageDraw.Draw(picture).polygon([tuple(p) for p in np.round(polygon).tolist()], 1, 1)
    return np.asarray(picture)


def read(path, size, fill):
    """Return labels of a label file; -1: not annotated."""
    labels = np.full(size, -1)
    for line in path.read_text(encoding='utf-8').splitlines():
        label, *values = line.split()
        polygon = np.array(values, np.float32).reshape(-1, 2)
        assert len(polygon) >= 3 and polygon.min() >= 0 and polygon.max() <= 1
        mask = fill(polygon * np.array(size[::-1], np.float32), size)
        assert (labels[mask] == -1).all()
        labels[mask] = int(label)
    return labels


@pytest.mark.parametrize('fill', [fill_cv2, fill_rounded, fill_pil])
def test_polygons_fill_each_pixel(fill, results, tmp_path):
    exporter = YOLOExporter(tmp_path, CLASSES)
    (path,) = export(exporter, results)
    assert yaml.safe_load(path.read_text(encoding='utf-8'))['names'] == dict(enumerate(CLASSES[:4]))
    for name, result in results.items():
        found = read(exporter.path(name), result.labels.shape, fill)
        assert np.array_equal(found, np.where(result.labels == 4, -1, result.labels)), name


def test_any_shape_is_filled_exactly(tmp_path):
    rng = np.random.default_rng(0)
    exporter = YOLOExporter(tmp_path, CLASSES)
    for i in range(60):
        height, width = rng.integers(1, 40, 2)
        labels = (rng.random((height, width)) ** rng.choice([0.2, 1, 3]) * 5).astype(int)
        if i % 2:
            labels = cv2.medianBlur(labels.astype(np.uint8), 3).reshape(height, width).astype(int)
        exporter.add(f'{i}.jpg', make_result(labels))
        for fill in (fill_cv2, fill_rounded):
            found = read(exporter.path(f'{i}.jpg'), labels.shape, fill)
            assert np.array_equal(found, np.where(labels == 4, -1, labels)), i


def test_indices_of_annotated_classes_are_contiguous(results, tmp_path):
    exporter = YOLOExporter(tmp_path, CLASSES, skip=('Bäume', 'other'))
    (path,) = export(exporter, results)
    assert yaml.safe_load(path.read_text(encoding='utf-8'))['names'] == dict(
        enumerate(CLASSES[1:4])
    )
    labels = results['shapes.jpg'].labels
    found = read(exporter.path('shapes.jpg'), labels.shape, fill_cv2)
    assert np.array_equal(found, np.array([-1, 0, 1, 2, -1])[labels])


def test_300_classes(many, tmp_path):
    exporter = YOLOExporter(tmp_path, many.classes)
    export(exporter, {'a.jpg': many})
    assert np.array_equal(read(exporter.path('a.jpg'), many.labels.shape, fill_cv2), many.labels)


def test_no_object_is_an_empty_file(results, tmp_path):
    exporter = YOLOExporter(tmp_path, CLASSES)
    export(exporter, results)
    assert exporter.path('nothing.jpg').read_bytes() == b''


def test_supervision_reads_each_pixel(results, tmp_path):
    supervision = pytest.importorskip('supervision')
    # supervision reads one folder without subfolders.
    results = {name: result for name, result in results.items() if '/' not in name}
    (path,) = export(YOLOExporter(tmp_path, CLASSES), results)
    images = tmp_path / 'yolo' / 'images'
    images.mkdir()
    for name, result in results.items():
        Image.fromarray(result.image).save(images / name)
    dataset = supervision.DetectionDataset.from_yolo(
        str(images), str(tmp_path / 'yolo' / 'labels'), str(path), force_masks=True
    )
    assert dataset.classes == list(CLASSES[:4]) and len(dataset) == len(results)
    for image_path, _, detections in dataset:
        expected = results[image_path.rpartition('/')[2]].labels
        found = np.full(expected.shape, 4)
        for i in range(len(detections)):
            found[detections.mask[i]] = detections.class_id[i]
        assert np.array_equal(found, expected), image_path
