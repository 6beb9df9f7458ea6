import zipfile
from contextlib import closing

import numpy as np
import pytest

from mmseg_langseg.importing import CVATImporter
from tests.test_importing.conftest import LABEL_MAP, cvat_file, png

COLORS = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], np.uint8)
LINES = np.array([[0, 1, 2], [2, 2, 1]])
MASK = 'SegmentationClass/x/a.png'


def read(path, size=(2, 3), name='x/a'):
    with closing(CVATImporter(path)) as importer:
        return importer.labels(name, size)


def test_a_zip_like_that_of_cvat(tmp_path):
    entries = {
        'ImageSets/Segmentation/default.txt': 'x/a\nfire truck 🚒\n',
        MASK: png(COLORS[LINES]),
        'SegmentationObject/x/a.png': b'not read',
    }
    path = cvat_file(tmp_path, entries)
    with closing(CVATImporter(path)) as importer:
        assert importer.classes == ('cat', '草地')
        assert importer.names == ['x/a', 'fire truck 🚒']
        assert np.array_equal(importer.labels('x/a', (2, 3)), LINES - 1)
        assert (importer.labels('fire truck 🚒', (5, 4)) == -1).all()  # listed, without a mask


@pytest.mark.parametrize(
    'content',
    [
        png(np.dstack([COLORS[LINES], np.full((2, 3), 9)])),
        png(LINES),
        png(LINES, COLORS.tobytes()),
        png(2 - LINES, COLORS[::-1].tobytes()),
    ],
    ids=['RGBA', 'gray', 'palette', 'other palette'],
)
def test_kinds_of_masks(content, tmp_path):
    assert np.array_equal(read(cvat_file(tmp_path, {MASK: content})), LINES - 1)


def test_gray_colors_and_black(tmp_path):
    label_map = 'background:9,9,9::\ncat:255,255,255::\n'
    path = cvat_file(tmp_path, {MASK: png([[0, 9, 255]])}, label_map)
    assert read(path, (1, 3)).tolist() == [[-1, -1, 0]]
    path = cvat_file(tmp_path, {MASK: png([[0, 255, 0]])}, 'cat:0,0,0::\ndog:255,255,255::\n')
    assert read(path, (1, 3)).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (png(COLORS[LINES] // 2), r'5 pixels have colors that labelmap\.txt lacks, such as 125,25'),
        (png(LINES + 1), 'gray value 3 is neither a color'),
        (png(LINES[:, :2]), 'at height x width 2 x 2, but the image has 2 x 3'),
        (png(COLORS[LINES])[:-30], 'cannot be decoded'),
        (b'text', 'cannot be decoded|cannot identify'),
        (bytes(2**21), 'has 2097152 bytes, expected at most'),
    ],
)
def test_broken_masks_are_named(content, message, tmp_path):
    with pytest.raises(ValueError, match=rf'{MASK}.*({message})'):
        read(cvat_file(tmp_path, {MASK: content}))


def test_broken_zips_are_named(tmp_path):
    path = cvat_file(tmp_path, {})
    with pytest.raises(ValueError, match=r'export\.zip.* no masks'):
        CVATImporter(path)
    path = cvat_file(tmp_path, {MASK: png(LINES)}, LABEL_MAP + 'cat')
    with pytest.raises(ValueError, match=r'export\.zip.*labelmap\.txt: line 5'):
        CVATImporter(path)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('annotations/instances_default.json', '{}')
    with pytest.raises(ValueError, match=r'export\.zip.*lacks labelmap\.txt.*give the JSON'):
        CVATImporter(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r'export\.zip.*not a zip'):
        CVATImporter(path)
    path = cvat_file(tmp_path, {MASK: png(COLORS[LINES])})
    content = bytearray(path.read_bytes())
    content[content.index(MASK.encode()) + len(MASK) + 9] ^= 255  # within the compressed mask
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'{MASK} cannot be read'):
        read(path)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_LZMA) as archive:
        archive.writestr('labelmap.txt', LABEL_MAP)
    with pytest.raises(ValueError, match=r'labelmap\.txt is compressed in an unusual way'):
        CVATImporter(path)
    path = cvat_file(tmp_path, {}, bytes(2**26 + 1))
    with pytest.raises(ValueError, match=r"export\.zip': labelmap\.txt has 67108865 bytes"):
        CVATImporter(path)
