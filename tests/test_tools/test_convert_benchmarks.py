"""Converters for benchmarks that MMSegmentation has no converter for."""

import errno
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from PIL import Image

from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
ADE = load_script('tools/dataset_converters/ade20k_full.py')
CONTEXT = load_script('tools/dataset_converters/pascal_context459.py')


def write_ade(root, stem, size, scene='a/attic'):
    """Write an image and labels: wall, the class with the largest ID, and an ID of no class."""
    folder = root / 'images/ADE/validation' / scene
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / f'{stem}.jpg')
    raw = np.full(size, 2978)
    raw[:, size[1] // 2 :] = 3156
    raw[: size[0] // 4] = 1
    # R holds 10 times the upper byte, plus a part index; B numbers the instances.
    colors = np.stack([raw // 256 * 10 + 3, raw % 256, np.full(size, 77)], -1)
    Image.fromarray(colors.astype(np.uint8)).save(folder / f'{stem}_seg.png')
    Image.new('L', size[::-1]).save(folder / f'{stem}_parts_1.png')
    labels = np.full(size, 0)
    labels[:, size[1] // 2 :] = 358
    labels[: size[0] // 4] = 65535
    return labels


def read(path):
    return np.asarray(Image.open(path)).astype(np.int64)


def test_ade_numbers_become_classes_and_large_images_shrink(tmp_path, capsys):
    small = write_ade(tmp_path, 'ADE_val_00000001', (40, 60))
    write_ade(tmp_path, 'ADE_val_00000002', (1200, 1024), 'b/bar')
    ADE.main([str(tmp_path)])
    labels = read(tmp_path / 'annotations_847/validation/ADE_val_00000001.png')
    np.testing.assert_array_equal(labels, small)
    shrunk = read(tmp_path / 'annotations_847/validation/ADE_val_00000002.png')
    assert shrunk.shape == (600, 512)
    assert set(np.unique(shrunk)) == {0, 358, 65535}
    assert (shrunk[:150] == 65535).all() and (shrunk[150:, :256] == 0).all()
    image = Image.open(tmp_path / 'images_847/validation/ADE_val_00000002.jpg')
    assert image.size == (512, 600)
    assert '2 images converted, 0 existed' in capsys.readouterr().out


@pytest.mark.parametrize(
    'size, expected',
    [((512, 900), (900, 512)), ((1024, 1536), (768, 512)), ((1536, 1024), (512, 768))],
)
def test_the_short_side_becomes_512(size, expected):
    assert ADE.target_size(*size) == expected


def test_interrupted_ade_run_resumes_and_overwrites_nothing(tmp_path, capsys):
    for index in (1, 2, 3):
        write_ade(tmp_path, f'ADE_val_0000000{index}', (20, 30))
    ADE.main([str(tmp_path)])
    out = tmp_path / 'annotations_847/validation'
    images = tmp_path / 'images_847/validation'
    (out / 'ADE_val_00000002.png').unlink()
    (out / 'ADE_val_00000002.png.abc.tmp').write_bytes(b'half')
    (images / 'ADE_val_00000002.jpg').write_bytes(b'kept')
    (out / 'ADE_val_00000001.png').write_bytes(b'kept')
    ADE.main([str(tmp_path)])
    assert '1 images converted, 2 existed' in capsys.readouterr().out
    assert (images / 'ADE_val_00000002.jpg').read_bytes() == b'kept'
    assert (out / 'ADE_val_00000001.png').read_bytes() == b'kept'
    assert read(out / 'ADE_val_00000002.png').shape == (20, 30)
    assert not list(out.glob('*.tmp'))


def test_bad_ade_files_are_named_and_cost_nothing_else(tmp_path):
    for index in (1, 2, 3, 4):
        write_ade(tmp_path, f'ADE_val_0000000{index}', (20, 30))
    folder = tmp_path / 'images/ADE/validation/a/attic'
    Image.new('RGB', (5, 5)).save(folder / 'ADE_val_00000001_seg.png')
    (folder / 'ADE_val_00000002_seg.png').unlink()
    content = (folder / 'ADE_val_00000003.jpg').read_bytes()
    (folder / 'ADE_val_00000003.jpg').write_bytes(content[: len(content) // 2])
    with pytest.raises(SystemExit) as error:
        ADE.main([str(tmp_path)])
    lines = str(error.value).splitlines()
    assert lines[0] == '3 images cannot be used:' and len(lines) == 4
    assert r'height x width [20, 30], ADE_val_00000001_seg.png [5, 5]' in lines[1]
    assert 'ADE_val_00000002_seg.png' in lines[2] and 'ADE_val_00000003.jpg: ' in lines[3]
    written = [path.name for path in (tmp_path / 'annotations_847/validation').iterdir()]
    assert written == ['ADE_val_00000004.png']
    with pytest.raises(FileNotFoundError, match='no image ADE_'):
        ADE.main([str(tmp_path / 'gone')])


def write_mat(root, stem, numbers, key='LabelMap'):
    (root / 'trainval').mkdir(exist_ok=True)
    scipy.io.savemat(root / 'trainval' / f'{stem}.mat', {key: np.array(numbers)})


def test_context_numbers_count_from_one(tmp_path, capsys):
    write_mat(tmp_path, '2008_000001', np.array([[1, 2, 459], [0, 256, 257]], np.uint16))
    CONTEXT.main([str(tmp_path)])
    out = tmp_path / 'SegmentationContext459'
    assert read(out / '2008_000001.png').tolist() == [[0, 1, 458], [65535, 255, 256]]
    write_mat(tmp_path, '2008_000002', [[3.0]])
    (out / '2008_000001.png').write_bytes(b'kept')
    CONTEXT.main([str(tmp_path)])
    assert '1 label maps written, 1 existed' in capsys.readouterr().out
    assert read(out / '2008_000002.png').tolist() == [[2]]
    assert (out / '2008_000001.png').read_bytes() == b'kept'


def test_bad_mat_files_are_named_and_cost_nothing_else(tmp_path):
    write_mat(tmp_path, 'a', [[460]])
    write_mat(tmp_path, 'b', [[1]], key='labels')
    (tmp_path / 'trainval/c.mat').write_bytes(b'no mat')
    write_mat(tmp_path, 'd', [[1]])
    with pytest.raises(SystemExit) as error:
        CONTEXT.main([str(tmp_path)])
    lines = str(error.value).splitlines()
    assert lines[0] == '3 files cannot be used:'
    assert 'a.mat: LabelMap holds numbers 460 to 460: expected 0 to 459' in lines[1]
    assert 'b.mat: holds no label map' in lines[2]
    assert 'c.mat: not a readable .mat file' in lines[3]
    assert [p.name for p in (tmp_path / 'SegmentationContext459').iterdir()] == ['d.png']
    with pytest.raises(FileNotFoundError, match=r'no \.mat file in'):
        CONTEXT.main([str(tmp_path / 'gone')])


@pytest.mark.parametrize(
    'numbers, message',
    [
        ([[1.5]], 'LabelMap holds fractions'),
        ([[float('nan')]], 'LabelMap holds fractions'),
        ([[-1]], 'LabelMap holds numbers -1 to -1: expected 0 to 459'),
        ([[float('inf')]], 'LabelMap holds fractions or infinite'),
        ([['a']], 'LabelMap holds no numbers'),
        (np.zeros((0, 3)), 'holds no label map'),
        (np.zeros((2, 2, 2)), 'holds no label map'),
        (scipy.sparse.csc_matrix(np.eye(3)), 'LabelMap holds no numbers'),
        (np.ones((4000, 4000), np.uint8), 'LabelMap has 4000 x 4000 pixels'),
    ],
)
def test_hostile_mat_files_are_bad_ones(tmp_path, numbers, message):
    (tmp_path / 'trainval').mkdir()
    path = tmp_path / 'trainval/a.mat'
    scipy.io.savemat(path, dict(LabelMap=numbers), do_compression=True)
    with pytest.raises(SystemExit, match=f'1 files cannot be used:\n.*a.mat: {message}'):
        CONTEXT.main([str(tmp_path)])
    assert not list((tmp_path / 'SegmentationContext459').iterdir())


def test_image_bombs_are_bad_files(tmp_path):
    write_ade(tmp_path, 'ADE_val_00000001', (20, 30))
    write_ade(tmp_path, 'ADE_val_00000002', (20, 30))
    bomb = tmp_path / 'images/ADE/validation/a/attic/ADE_val_00000001_seg.png'
    Image.new('1', (20_000, 20_000)).save(bomb)
    with pytest.raises(SystemExit) as error:
        ADE.main([str(tmp_path)])
    first, line = str(error.value).splitlines()
    assert first == '1 images cannot be used:'
    assert (
        'ADE_val_00000001_seg.png cannot be decoded (DecompressionBombError: Image size (400000000'
        in line
    )
    written = [path.name for path in (tmp_path / 'annotations_847/validation').iterdir()]
    assert written == ['ADE_val_00000002.png']


def test_two_images_of_one_name_are_never_one_file(tmp_path):
    write_ade(tmp_path, 'ADE_val_00000001', (20, 30), 'a/attic')
    write_ade(tmp_path, 'ADE_val_00000001', (20, 30), 'b/bar')
    with pytest.raises(ValueError, match=r'attic/ADE_val_00000001\.jpg.* would both be written to'):
        ADE.main([str(tmp_path)])
    assert not (tmp_path / 'images_847').exists()


def test_outputs_that_are_links_to_the_inputs_change_nothing(tmp_path):
    write_ade(tmp_path, 'ADE_val_00000001', (700, 600), '.')
    source = tmp_path / 'images/ADE/validation'
    for name in ('images_847', 'annotations_847'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'validation').symlink_to(source, target_is_directory=True)
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    ADE.main([str(tmp_path)])
    after = {path.name: path.read_bytes() for path in source.iterdir()}
    assert {name: after[name] for name in before} == before


def test_too_many_open_files_are_no_bad_file(tmp_path, monkeypatch):
    write_ade(tmp_path, 'ADE_val_00000001', (20, 30))

    def full(path, table):
        raise OSError(errno.EMFILE, 'Too many open files', str(path))

    monkeypatch.setattr(ADE, 'convert_image', full)
    with pytest.raises(OSError, match='Too many open files'):
        ADE.main([str(tmp_path)])


@pytest.mark.parametrize('name', ['ade20k_full', 'pascal_context459'])
def test_commands_end_in_their_message(tmp_path, monkeypatch, name):
    script = ROOT / 'tools' / 'dataset_converters' / f'{name}.py'
    monkeypatch.setattr(sys, 'argv', [str(script), str(tmp_path / 'gone')])
    with pytest.raises(SystemExit, match=rf'^{name}: no .*gone'):
        runpy.run_path(str(script), run_name='__main__')
    sys.argv.append('--debug')
    with pytest.raises(FileNotFoundError, match='gone'):
        runpy.run_path(str(script), run_name='__main__')
