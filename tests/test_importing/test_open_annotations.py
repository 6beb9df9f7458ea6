from contextlib import closing

import pytest

from mmseg_langseg.importing import COCOImporter, CVATImporter, open_annotations
from tests.test_importing.conftest import coco_file, cvat_file, png


def test_the_content_decides(tmp_path):
    path = cvat_file(tmp_path, {'SegmentationClass/a.png': png([[0]])})
    with closing(open_annotations(path)) as importer:
        assert type(importer) is CVATImporter
    with closing(open_annotations(path.rename(tmp_path / 'export'))) as importer:
        assert type(importer) is CVATImporter
    path = coco_file(tmp_path, [(7, [[0, 0, 2, 0, 2, 2]])])
    assert type(open_annotations(path)) is COCOImporter
    with pytest.raises(ValueError, match='not a zip'):
        open_annotations(path.rename(tmp_path / 'x.ZIP'))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        open_annotations(tmp_path / 'x.json')
    with pytest.raises(IsADirectoryError, match='is a folder'):
        open_annotations(tmp_path)
