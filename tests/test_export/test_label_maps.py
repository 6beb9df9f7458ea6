import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_langseg.datasets import FolderSegDataset
from mmseg_langseg.export import LabelMapExporter, class_colors
from tests.test_export.conftest import CLASSES, export, make_result


def test_pillow_reads_each_pixel_and_color(results, tmp_path):
    exporter = LabelMapExporter(tmp_path, CLASSES)
    (path,) = export(exporter, results)
    assert path.read_text(encoding='utf-8').splitlines() == list(CLASSES)
    colors = class_colors(CLASSES)
    for name, result in results.items():
        with Image.open(exporter.path(name)) as picture:
            assert picture.mode == 'P' and np.array_equal(np.asarray(picture), result.labels)
            assert np.array_equal(np.asarray(picture.convert('RGB')), colors[result.labels])


@pytest.mark.parametrize('count', [1, 2, 255, 256, 300])
def test_any_number_of_classes(count, tmp_path):
    labels = np.arange(count)[None]
    exporter = LabelMapExporter(tmp_path, [f'c{i}' for i in range(count)])
    export(exporter, {'a.jpg': make_result(labels, exporter.classes)})
    with Image.open(exporter.path('a.jpg')) as picture:
        assert np.array_equal(np.asarray(picture), labels)
        assert picture.mode == ('P' if count <= 255 else 'I;16')


def test_the_dataset_reads_each_pixel(results, tmp_path):
    score_against_itself(tmp_path, CLASSES, results)


def test_the_dataset_reads_300_classes(many, tmp_path):
    score_against_itself(tmp_path, many.classes, {'a.jpg': many})


def score_against_itself(folder, classes, results):
    export(LabelMapExporter(folder, classes), results)
    for name, result in results.items():
        image = folder / 'images' / name
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(result.image).save(image)
    dataset = FolderSegDataset(
        classes='classes.txt',
        data_root=str(folder),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadLabelMap', ignore_index=255 if len(classes) <= 255 else 65535),
            dict(type='PackSegInputs'),
        ],
    )
    assert dataset.metainfo['classes'] == list(classes) and len(dataset) == len(results)
    metric = IoUMetric(ignore_index=dataset.ignore_index, prefix='')
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dataset.metainfo
    for sample in dataset:
        given = sample['data_samples']
        name = given.img_path.removeprefix(f'{folder}/images/')
        labels = given.gt_sem_seg.data
        assert np.array_equal(labels[0], results[name].labels)
        predicted = SegDataSample(pred_sem_seg=PixelData(data=labels.long()))
        predicted.gt_sem_seg = PixelData(data=labels.long())
        evaluator.process([predicted])
    assert evaluator.evaluate(len(dataset))['mIoU'] == 100
