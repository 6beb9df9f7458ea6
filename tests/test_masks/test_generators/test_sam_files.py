"""Files of SAM's masks."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.formats import read_mask_file
from mmseg_langseg.masks.generators import SuperpixelGenerator, build_generator
from mmseg_langseg.masks.runs import generate_masks
from tests.test_masks.tiny_sam import LOOSE, SIZES, alone


@pytest.fixture
def folder(photos, tmp_path):
    (tmp_path / 'images').mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / 'images' / f'{number}.png')
    return tmp_path / 'images'


def generate(folder, out, generator, file_format='sa1b'):
    return generate_masks(
        open_image_source(folder), out, generator, 'sam', file_format, progress=False
    )


def files(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


def test_a_rerun_ends_with_the_same_bytes(tiny_sam, folder, tmp_path):
    def make():
        generator = build_generator('sam', model=tiny_sam, images_per_batch=3, **LOOSE)
        return generate(folder, tmp_path / 'out', generator)

    assert make().made == 5
    expected = files(tmp_path / 'out')
    for lost in (('0.json',), ('1.json', '2.json', '3.json', '4.json')):
        for name in lost:
            (tmp_path / 'out' / name).unlink()
        report = make()
        assert (report.made, report.kept) == (len(lost), 5 - len(lost))
        assert files(tmp_path / 'out') == expected


def test_a_bad_image_costs_its_batch_nothing(tiny_sam, folder, tmp_path):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=7, **LOOSE)
    assert generate(folder, tmp_path / 'good', generator).made == 5
    (folder / '2a.png').write_bytes(b'broken')
    # Less than half a pixel wide at the model's input size.
    Image.new('RGB', (1, 200)).save(folder / '3a.png')
    report = generate(folder, tmp_path / 'out', generator)
    assert [name for name, _ in report.unreadable] == ['2a.png', '3a.png']
    assert (report.made, report.images) == (5, 7)
    for number in range(5):
        name = f'{number}.json'
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'good' / name).read_bytes()


class BatchOfTwo(SuperpixelGenerator):
    """Records batch sizes, and is killed on demand."""

    batch_size = 2

    def __init__(self, kill_at=None):
        super().__init__(lambda image: np.zeros(image.shape[:2], np.int32))
        self.batches, self.kill_at = [], kill_at

    def regions_of_batch(self, images):
        if len(self.batches) == self.kill_at:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        return super().regions_of_batch(images)


def test_a_kill_loses_only_the_current_batch(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        generate(folder, tmp_path / 'out', BatchOfTwo(kill_at=1), 'regions')
    assert {'0.png', '1.png'} == {name for name in files(tmp_path / 'out') if name[0] != '.'}
    generator = BatchOfTwo()
    report = generate(folder, tmp_path / 'out', generator, 'regions')
    assert generator.batches == [2, 1] and (report.made, report.kept) == (3, 2)
    generate(folder, tmp_path / 'whole', BatchOfTwo(), 'regions')
    assert files(tmp_path / 'out') == files(tmp_path / 'whole')


def test_files_hold_the_masks_of_sams_generator(tiny_sam, photos, folder, tmp_path):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=2, **LOOSE)
    assert generator.settings['points_per_side'] == 3
    assert generator.settings['box_nms_thresh'] == 0.7
    assert generate(folder, tmp_path / 'out', generator).seconds > 0
    expected = alone(tiny_sam, photos[1])
    rles = read_mask_file(tmp_path / 'out/1.json', SIZES[1])
    decoded = [coco_mask.decode(rle) for rle in rles]
    assert np.array_equal(decoded, [coco_mask.decode(one['segmentation']) for one in expected])
    written = json.loads((tmp_path / 'out/1.json').read_text())['annotations']
    for key in ('predicted_iou', 'stability_score', 'area'):
        assert written[0][key] == pytest.approx(expected[0][key], abs=1e-5)
    assert written[0]['point_coords'] == expected[0]['point_coords']
