import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.export import HeatMapExporter
from mmseg_langseg.export.heat_maps import heat_map_file_name
from tests.test_export.conftest import CLASSES, export, make_result

NAMES = [
    'cat',
    'a/b',
    'a_b',
    '..',
    '.hidden',
    'CON',
    'x\0y',
    '草' * 200,
    '🚒',
    'ü',
    'u\u0308',
    'e ',
]


def with_probabilities(result, count):
    scores = np.random.default_rng(0).random((count, *result.labels.shape))
    scores[:, 0, 0] = 0
    scores[0, 0, 0] = 1
    return replace(result, probabilities=(scores / scores.sum(0)).astype(np.float16))


@pytest.mark.parametrize('count', [4, 5])
def test_levels_are_the_probabilities(count, results, tmp_path):
    results = {name: with_probabilities(result, count) for name, result in results.items()}
    (path,) = export(HeatMapExporter(tmp_path, CLASSES), results)
    files = json.loads(path.read_text(encoding='utf-8'))
    assert list(files.values()) == list(CLASSES)
    for name, result in results.items():
        folder = tmp_path / 'heatmaps' / name
        assert sorted(p.name for p in folder.iterdir()) == sorted(files)[:count]
        for file, expected in zip(files, result.probabilities, strict=False):
            with Image.open(folder / file) as picture:
                levels = np.asarray(picture)
            assert np.array_equal(levels, (expected.astype(np.float32) * 255).round())
            assert np.abs(levels / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert not list(tmp_path.rglob('*.tmp'))


def test_file_names_are_safe_and_distinct(tmp_path):
    files = [heat_map_file_name(i, name) for i, name in enumerate(NAMES)]
    assert len({file.casefold() for file in files}) == len(NAMES)
    for file in files:
        assert not set(file) & set('/\\:*?"<>|\0') and len(file.encode()) < 150
        (tmp_path / file).write_bytes(b'')
    assert files[0] == '000_cat.png' and files[8] == '008_🚒.png'
    assert len(list(tmp_path.iterdir())) == len(NAMES)


def test_probabilities_are_needed(tmp_path):
    exporter, given = HeatMapExporter(tmp_path, CLASSES), make_result([[0, 1]])
    with pytest.raises(ValueError, match='probabilities'):
        exporter.add('a.jpg', given)
    with pytest.raises(ValueError, match=r'\(3, 1, 2\)'):
        exporter.add('a.jpg', with_probabilities(given, 3))
    assert not exporter.path('a.jpg').exists()


def test_temporary_folders_of_killed_processes_are_removed(tmp_path):
    exporter, given = HeatMapExporter(tmp_path, CLASSES), with_probabilities(make_result([[0]]), 4)
    exporter.add('s/a.jpg', given)
    leftover = tmp_path / 'heatmaps' / 's' / '.heatmaps.x1.tmp' / 'new'
    leftover.mkdir(parents=True)
    (leftover / '000_cat.png').write_bytes(b'half')
    exporter.finish(['s/a.jpg'])
    assert [path.name for path in (tmp_path / 'heatmaps' / 's').iterdir()] == ['a.jpg']
