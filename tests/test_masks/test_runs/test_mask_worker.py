import numpy as np

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import SuperpixelGenerator
from mmseg_langseg.masks.runs import MaskWorker, read_images
from tests.test_masks.tiles import four_tiles, masks_of, run


def test_rows_have_the_bytes_of_the_files_in_their_order(images, tmp_path):
    (images / 'a/bad.jpg').write_bytes(b'')
    (images / 'gone.jpg').symlink_to('nowhere')
    source = open_image_source(images)
    for file_format, suffix in (('sa1b', '.json'), ('regions', '.png')):
        worker = MaskWorker(SuperpixelGenerator(four_tiles), file_format)
        rows = worker(read_images(source, source.names[::-1]))
        assert [row['name'] for row in rows] == source.names[::-1]
        reasons = {row['name']: row['reason'] for row in rows if row['reason']}
        assert reasons.keys() == {'a/bad.jpg', 'gone.jpg'}
        assert reasons['a/bad.jpg'] == 'the file is empty'
        run(images, tmp_path / file_format, file_format)
        files = {
            f'{row["name"].rsplit(".", 1)[0]}{suffix}': row['file'] for row in rows if row['file']
        }
        assert files == masks_of(tmp_path / file_format)
        assert {row['masks'] for row in rows if row['file']} == {4}


def test_masks_that_no_file_can_hold_are_a_reason(images):
    def too_many(image):
        return np.full(image.shape[:2], 70_000 if image.shape[0] != 8 else 0, np.int32)

    worker = MaskWorker(SuperpixelGenerator(too_many), 'regions')
    content = (images / '5.png').read_bytes()
    (row,) = worker([dict(name='5.png', image=content)])
    assert row['reason'].startswith('region ids 70000') and row['file'] == b''
    assert worker([]) == []
