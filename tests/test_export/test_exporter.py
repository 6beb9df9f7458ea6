import os
import tracemalloc

import numpy as np
import pytest

from mmseg_langseg.export import EXPORTERS
from tests.test_export.conftest import CLASSES, make_result

LABELS = [[0, 1], [2, 4]]
ALL = [pytest.param(kind, id=name) for name, kind in EXPORTERS.items()]


def create(kind, folder, classes=CLASSES, **options):
    if EXPORTERS['geotiff'] is kind:
        pytest.importorskip('rasterio')
    return kind(folder, classes, **options)


def result(labels=LABELS, classes=CLASSES):
    probabilities = np.full((len(classes), *np.shape(labels)), 0.1, np.float16)
    return make_result(labels, classes, probabilities=probabilities)


def content(folder):
    """Return the content of all files, records of runs left out."""
    files = (path for path in folder.rglob('*') if path.is_file() and path.name != '.export.json')
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize('kind', ALL)
def test_a_resumed_run_writes_the_same_files(kind, tmp_path):
    names = ['a.jpg', 'sub/b.png', 'ü 🚒.tif']
    whole = create(kind, tmp_path / 'whole')
    for name in names:
        whole.add(name, result())
    whole.finish(names)
    create(kind, tmp_path / 'parts').add(names[0], result())
    resumed = create(kind, tmp_path / 'parts')
    assert [resumed.exists(name) for name in names] == [True, False, False]
    for name in names[1:]:
        resumed.add(name, result())
    resumed.finish(names)
    assert content(tmp_path / 'parts') == content(tmp_path / 'whole')
    again = create(kind, tmp_path / 'parts')
    assert all(again.exists(name) for name in names)
    again.finish(names)
    assert content(tmp_path / 'parts') == content(tmp_path / 'whole')


@pytest.mark.parametrize('kind', ALL)
def test_nothing_is_overwritten_unless_asked(kind, tmp_path):
    first = create(kind, tmp_path)
    first.add('a.jpg', result())
    first.add('b.jpg', result())
    first.finish(['a.jpg', 'b.jpg'])
    before = content(tmp_path)
    other = result([[1, 1], [1, 1]])
    with pytest.raises(FileExistsError, match=r'a\b'):
        create(kind, tmp_path).add('a.jpg', other)
    assert content(tmp_path) == before
    forced = create(kind, tmp_path, overwrite=True)
    assert not forced.exists('a.jpg')
    for name in ('a.jpg', 'b.jpg'):
        forced.add(name, other)
    forced.finish(['a.jpg', 'b.jpg'])
    assert content(tmp_path).keys() == before.keys()
    if kind is not EXPORTERS['heatmaps']:  # of the same probabilities
        assert content(tmp_path) != before


@pytest.mark.parametrize('kind', [EXPORTERS[name] for name in ('coco', 'cvat', 'labelstudio')])
def test_a_file_of_other_images_is_kept(kind, tmp_path):
    first = kind(tmp_path, CLASSES)
    first.add('a.jpg', result())
    written = first.finish(['a.jpg'])[0]
    before = written.read_bytes()
    second = kind(tmp_path, CLASSES)
    second.add('b.jpg', result())
    with pytest.raises(FileExistsError, match=rf'{written.name}.*Remove it and run again'):
        second.finish(['a.jpg', 'b.jpg'])
    assert written.read_bytes() == before


@pytest.mark.parametrize('kind', ALL)
def test_a_run_with_other_classes_is_not_resumed(kind, tmp_path):
    create(kind, tmp_path).add('a.jpg', result())
    changed = create(kind, tmp_path, CLASSES[::-1])
    for call in (
        lambda: changed.exists('a.jpg'),
        lambda: changed.add('b.jpg', result(classes=CLASSES[::-1])),
        lambda: changed.finish(['a.jpg']),
    ):
        with pytest.raises(ValueError, match='other settings'):
            call()
    forced = create(kind, tmp_path, CLASSES[::-1], overwrite=True)
    forced.add('b.jpg', result(classes=CLASSES[::-1]))
    with pytest.raises(ValueError, match='interrupted'):
        create(kind, tmp_path, CLASSES[::-1]).exists('a.jpg')
    forced.add('a.jpg', result(classes=CLASSES[::-1]))
    forced.finish(['a.jpg', 'b.jpg'])
    assert create(kind, tmp_path, CLASSES[::-1]).exists('a.jpg')


@pytest.mark.parametrize('kind', ALL)
def test_files_of_other_classes_that_were_not_replaced(kind, tmp_path):
    first = create(kind, tmp_path)
    first.add('a.jpg', result())
    first.add('b.jpg', result())
    second = create(kind, tmp_path, CLASSES[::-1], overwrite=True)
    second.add('a.jpg', result(classes=CLASSES[::-1]))
    second.finish(['a.jpg'])
    with pytest.raises(ValueError, match='two runs'):
        create(kind, tmp_path, CLASSES[::-1]).exists('b.jpg')


@pytest.mark.parametrize('kind', ALL)
def test_two_images_of_the_same_stem(kind, tmp_path):
    given, names = create(kind, tmp_path), ['s/a.jpg', 's/b.jpg', 's/a.png']
    for name in names[:2]:
        given.add(name, result())
    if given.keep_suffix:
        given.add(names[2], result())
        given.finish(names)
        return
    for call in (given.check_names, given.finish):
        with pytest.raises(ValueError, match=r's/a\.jpg.*s/a\.png'):
            call(names)
    with pytest.raises(FileExistsError):
        given.add(names[2], result())


def test_names_are_checked(tmp_path):
    given = EXPORTERS['labels'](tmp_path, CLASSES)
    for name in ('../a.jpg', '/a.jpg', '', 'a\\b.jpg', 'c:a.jpg'):
        with pytest.raises(ValueError, match='image name'):
            given.check_names([name])
    with pytest.raises(ValueError, match='occurs twice'):
        given.check_names(['a.jpg', 'a.jpg'])
    with pytest.raises(FileNotFoundError, match=r'missing\.png'):
        given.finish(['missing.jpg'])


@pytest.mark.parametrize('kind', ALL)
def test_names_of_any_bytes_and_length(kind, tmp_path):
    long = 'ä' * 119 + '.jpg'  # 242 bytes, as long as names of temporary files may be with .json
    broken = os.fsdecode(b'bad\xff.jpg')
    given = create(kind, tmp_path)
    if kind in (EXPORTERS['cvat'], EXPORTERS['geotiff']):
        with pytest.raises(ValueError, match=r'bad.*not valid UTF-8'):
            given.check_names([broken])
        broken = 'good.jpg'
    for name in (broken, long):
        given.add(name, result())
    given.finish([broken, long])
    assert not list(tmp_path.rglob('*.tmp'))
    with pytest.raises(ValueError, match=r'a name of .* bytes, more than 255; rename'):
        given.check_names(['x' * 252 + '.jpeg'])


@pytest.mark.parametrize('content', [b'[]', b'{', b'{"settings": 1}', b'\xff'])
def test_a_damaged_record_is_named(content, tmp_path):
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / '.export.json').write_bytes(content)
    with pytest.raises(ValueError, match=r'labels/\.export\.json. is not'):
        EXPORTERS['labels'](tmp_path, CLASSES).exists('a.jpg')


def test_files_of_others_are_no_results(tmp_path):
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / 'a.png').write_bytes(b'ground truth')
    given = EXPORTERS['labels'](tmp_path, CLASSES)
    assert not given.exists('a.jpg')
    with pytest.raises(FileExistsError, match=r'a\.png'):
        given.add('a.jpg', result())


@pytest.mark.parametrize('labels', [[[5]], [[-1]], [0, 1], np.zeros((0, 3), int)])
def test_invalid_labels(labels, tmp_path):
    with pytest.raises(ValueError, match=r"'a\.jpg'.*expected"):
        EXPORTERS['labels'](tmp_path, CLASSES).add('a.jpg', _with_labels(np.asarray(labels)))
    assert not list(tmp_path.iterdir())


def _with_labels(labels):
    image = np.zeros((1, 1, 3), np.uint8)
    return type(result())(image, labels, CLASSES)


def test_result_of_another_vocabulary(tmp_path):
    with pytest.raises(ValueError, match='cat'):
        EXPORTERS['labels'](tmp_path, ('cat', 'dog')).add('a.jpg', result())


@pytest.mark.parametrize('classes', [(), ('a', ''), ('a', 'a'), ('a\nb',)])
def test_invalid_classes(classes, tmp_path):
    with pytest.raises(ValueError, match='distinct names'):
        EXPORTERS['labels'](tmp_path, classes)


@pytest.mark.parametrize('kind', ALL)
def test_a_failed_write_leaves_no_file(kind, tmp_path, monkeypatch):
    given = create(kind, tmp_path)
    given.add('a.jpg', result())
    before = content(tmp_path)

    def fail(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'link', fail)
    monkeypatch.setattr(os, 'replace', fail)
    monkeypatch.setattr(os, 'rename', fail)
    with pytest.raises(OSError, match=r'No space left.*b'):
        given.add('b.jpg', result())
    assert content(tmp_path) == before


def test_leftovers_are_removed(tmp_path):
    given = EXPORTERS['labels'](tmp_path, CLASSES)
    given.add('s/a.jpg', result())
    leftover = tmp_path / 'labels' / 's' / 'a.png.x1y2.tmp'
    leftover.write_bytes(b'half')
    given.finish(['s/a.jpg'])
    assert not leftover.exists()


def test_skip(tmp_path):
    kind = EXPORTERS['coco']
    assert kind(tmp_path, CLASSES).annotated == CLASSES[:4]
    assert kind(tmp_path, CLASSES, skip=()).annotated == CLASSES
    assert kind(tmp_path, CLASSES, skip='Bäume').annotated == CLASSES[1:]
    with pytest.raises(ValueError, match='leaves none'):
        kind(tmp_path, ('other',))


@pytest.mark.parametrize('name', ['coco', 'cvat', 'labelstudio'])
def test_memory_does_not_grow_with_the_images(name, tmp_path):
    labels = np.random.default_rng(0).integers(0, 4, (30, 40))
    given = EXPORTERS[name](tmp_path, CLASSES)
    peaks = []
    for count in (5, 50):
        names = [f'{i:04d}.jpg' for i in range(count)]
        for image in names:
            if not given.exists(image):
                given.add(image, result(labels))
        given = EXPORTERS[name](tmp_path, CLASSES, overwrite=True)
        tracemalloc.start()
        (path, *_) = given.finish(names)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        given = EXPORTERS[name](tmp_path, CLASSES)
    assert peaks[1] < peaks[0] + 150_000
    assert name == 'cvat' or path.stat().st_size > 500_000
