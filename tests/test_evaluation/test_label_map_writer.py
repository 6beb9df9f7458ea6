import numpy as np
import pytest
import torch
from mmseg.registry import METRICS
from PIL import Image

from mmseg_langseg.evaluation import label_map_path


def write(root, labels, num_classes, **sample):
    writer = METRICS.build(dict(type='LabelMapWriter', out=str(root / 'out'), image_root='photos'))
    writer.dataset_meta = dict(classes=[f'class {i}' for i in range(num_classes)])
    data = dict(data=torch.tensor(labels)[None])
    writer.process({}, [dict(img_path='photos/x/a.b.jpg', pred_sem_seg=data, **sample)])
    assert writer.evaluate(1) == {}
    return np.asarray(Image.open(root / 'out/x/a.b.png'))


@pytest.mark.parametrize(
    'num_classes, reduce, kind',
    [(3, False, np.uint8), (255, False, np.uint8), (256, False, np.uint16), (255, True, np.uint16)],
)
def test_values_never_wrap(tmp_path, num_classes, reduce, kind):
    labels = [[0, 1], [num_classes - 1, 0]]
    found = write(tmp_path, labels, num_classes, reduce_zero_label=reduce)
    assert found.dtype == kind
    np.testing.assert_array_equal(found, np.array(labels) + reduce)


def test_847_classes(tmp_path):
    labels = np.arange(847).reshape(7, 121)
    np.testing.assert_array_equal(write(tmp_path, labels, 847), labels)


def test_a_row_or_column_stays_one(tmp_path):
    assert write(tmp_path, [[1, 2, 0]], 3).shape == (1, 3)


def test_images_outside_their_folder_are_refused():
    assert str(label_map_path('a/b/c.jpg', 'a', 'out')) == 'out/b/c.png'
    assert str(label_map_path('test_1.png', '', 'out')) == 'out/test_1.png'
    with pytest.raises(ValueError, match=r"image 'b/c\.jpg' is outside its folder 'a'"):
        label_map_path('b/c.jpg', 'a', 'out')
