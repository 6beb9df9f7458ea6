import json
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import decode_image
from mmseg_langseg.masks.formats import read_mask_annotations, read_mask_file, write_mask_file
from mmseg_langseg.masks.runs import halve_masks, halving
from tests.scripts import load_script

NAMES = ('sa_1.jpg', 'sa_2.jpg', 'deep/sa_3.png')


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/dataset_converters/halve_sa1b.py')


def encode(mask):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=list(mask.shape), counts=rle['counts'].decode())


def write(images, masks, name, size=(20, 30)):
    rng = np.random.default_rng(len(name))
    (images / name).parent.mkdir(parents=True, exist_ok=True)
    colors = cv2.resize(rng.integers(0, 256, (3, 4, 3)).astype(np.uint8), size[::-1])
    cv2.imwrite(str(images / name), colors)
    bitmaps = np.zeros((3, *size), bool)
    bitmaps[0, :7, :9], bitmaps[1, 5, 5], bitmaps[2] = True, True, True
    details = dict(
        predicted_iou=0.9, point_coords=[[12.0, 6.0]], crop_box=[0, 2, size[1], size[0] - 2]
    )
    rles = [encode(bitmap) for bitmap in bitmaps]
    write_mask_file((masks / name).with_suffix('.json'), rles, size, name, details=[details] * 3)
    return bitmaps


@pytest.fixture
def source(tmp_path):
    for name in NAMES:
        write(tmp_path / 'in/images', tmp_path / 'in/annotations', name)
    return tmp_path / 'in'


def files_of(folder):
    files = [path for path in Path(folder).rglob('*') if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if '.manifest' not in path.parts
    }


def area_mean(mask, size):
    """Return the share of each smaller pixel covered by the mask, by repeating and averaging."""
    (height, width), (h, w) = mask.shape, size
    fine = mask.repeat(h, 0).repeat(w, 1).astype(float)
    return fine.reshape(h, height, w, width).mean((1, 3))


@pytest.mark.parametrize('size', [(8, 12), (7, 9), (1, 1), (1, 8), (9, 2)])
def test_masks_are_those_of_which_half_a_pixel_is_covered(size):
    rng = np.random.default_rng(sum(size))
    bitmaps = rng.random((20, *size)) < 0.5
    small = max(1, size[0] // 2), max(1, size[1] // 2)
    halved = halve_masks(
        [dict(segmentation=encode(one), id=i) for i, one in enumerate(bitmaps)], size
    )
    shares = [area_mean(bitmap, small) for bitmap in bitmaps]
    left = [i for i, share in enumerate(shares) if (share >= 0.5).any()]
    assert [annotation['id'] for annotation in halved] == left
    for annotation in halved:
        found, share = coco_mask.decode(annotation['segmentation']), shares[annotation['id']]
        assert found.shape == small
        # OpenCV rounds its weights: at odd sizes, a share of exactly one half may go either way.
        clear = np.abs(share - 0.5) > 0.005 if size[0] % 2 or size[1] % 2 else True
        assert ((found == (share >= 0.5)) | ~np.broadcast_to(clear, small)).all()


def test_a_folder(tool, source, tmp_path, capsys):
    out = tmp_path / 'out'
    tool.main([str(source), str(out)])
    printed = capsys.readouterr()
    assert '3 images, 3 made, 0 kept, 6 masks, 0 could not be used' in printed.out
    assert 'halve: 100%' in printed.err
    stems = ('sa_1', 'sa_2', 'deep/sa_3')
    assert set(files_of(out)) == {f'images/{name}' for name in NAMES} | {
        f'annotations/{stem}.json' for stem in stems
    }
    image = cv2.imread(str(source / 'images/deep/sa_3.png')).astype(float)
    mean = image.reshape(10, 2, 15, 2, 3).mean((1, 3))
    assert np.abs(cv2.imread(str(out / 'images/deep/sa_3.png')) - mean).max() <= 0.5
    first, whole = read_mask_annotations(out / 'annotations/sa_1.json', (10, 15), 'sa_1.jpg')
    # 7 x 9 pixels: the last row and column are half covered, their corner less, so it is dropped.
    assert first['area'] == 4 * 5 - 1
    assert first['bbox'] == [0, 0, 5, 4] and whole['area'] == 150
    assert first['point_coords'] == [[6.0, 3.0]] and first['predicted_iou'] == 0.9
    assert first['crop_box'] == [0, 1, 15, 9]
    assert json.loads((out / 'annotations/.manifest/shard-0-of-1.json').read_text())['masks'] == 6


def test_side_by_side_and_tar_give_the_same(tool, source, tmp_path):
    tool.main([str(source), str(tmp_path / 'one'), '--quiet'])
    mixed = tmp_path / 'mixed'
    for folder in ('images', 'annotations'):
        shutil.copytree(source / folder, mixed, dirs_exist_ok=True)
    tool.main([str(mixed), str(tmp_path / 'two'), '--quiet'])
    with tarfile.open(tmp_path / 'sa_000020.tar', 'w') as archive:
        archive.add(mixed, '.')
    for shard in ('1/2', '0/2'):
        tool.main([str(tmp_path / 'sa_000020.tar'), str(tmp_path / 'three'), '--shard', shard])
    expected = files_of(tmp_path / 'one')
    assert files_of(tmp_path / 'two') == expected
    assert files_of(tmp_path / 'three/images/sa_000020') == files_of(tmp_path / 'one/images')
    made = files_of(tmp_path / 'three/annotations/sa_000020')
    assert made == files_of(tmp_path / 'one/annotations')


def test_killed_at_every_write_it_ends_with_the_same_files(tool, source, tmp_path, monkeypatch):
    tool.main([str(source), str(tmp_path / 'good'), '--quiet'])
    real = {name: getattr(halving, name) for name in ('write_whole_file', 'write_mask_file')}

    class Killed(BaseException):
        pass

    for writes in range(6):
        left = [writes]

        def write_or_die(name, path, *args, left=left, **kwargs):
            if left[0] == 0:
                Path(f'{path}.abcd.tmp').write_bytes(b'half')
                raise Killed
            left[0] -= 1
            return real[name](path, *args, **kwargs)

        out = tmp_path / f'out{writes}'
        with monkeypatch.context() as patch:
            for name in real:
                patch.setattr(halving, name, lambda *a, name=name, **k: write_or_die(name, *a, **k))
            (out / 'images/deep').mkdir(parents=True)
            (out / 'annotations/deep').mkdir(parents=True)
            with pytest.raises(Killed):
                tool.main([str(source), str(out), '--quiet'])
        tool.main([str(source), str(out), '--quiet'])
        assert files_of(out) == files_of(tmp_path / 'good')


def test_what_is_there_is_kept_and_half_samples_are_made_again(tool, source, tmp_path, capsys):
    out = tmp_path / 'out'
    tool.main([str(source), str(out), '--quiet'])
    expected = files_of(out)
    (out / 'images/sa_1.jpg').unlink()
    (out / 'annotations/sa_2.json').write_bytes(b'{"image"')
    tool.main([str(source), str(out), '--quiet'])
    assert '2 made, 1 kept, 6 masks' in capsys.readouterr().out
    assert files_of(out) == expected
    with pytest.raises((OSError, RuntimeError, ValueError), match=r'quality was 95, is 50'):
        tool.main([str(source), str(out), '--quality', '50'])


def test_bad_samples_are_listed_and_cost_nothing_else(tool, source, tmp_path, capsys):
    images, masks = source / 'images', source / 'annotations'
    for name in ('cut.jpg', 'zero.jpg', 'alone.jpg', 'other.jpg', 'size.jpg', 'points.jpg'):
        write(images, masks, name)
    (images / 'cut.jpg').write_bytes((images / 'cut.jpg').read_bytes()[:-30])
    (images / 'zero.jpg').write_bytes(b'')
    (masks / 'alone.json').unlink()
    (masks / 'other.json').write_bytes((masks / 'sa_1.json').read_bytes())
    write(images, tmp_path / 'elsewhere', 'size.jpg', (22, 30))
    content = json.loads((masks / 'points.json').read_text())
    content['annotations'][0]['point_coords'] = [3]
    (masks / 'points.json').write_text(json.dumps(content))
    write(images, masks, 'sa_1.png')
    write(images, masks, 'sa_1.jpg')
    write(images, masks, 'one.png', (7, 9))
    tool.main([str(source), str(tmp_path / 'out'), '--quiet'])
    printed = capsys.readouterr().out
    listed = tmp_path / 'out/annotations/.manifest/unreadable-0-of-1.txt'
    assert '11 images, 4 made, 0 kept' in printed and f"the full list is in '{listed}'" in printed
    reasons = dict(line.split('\t') for line in listed.read_text().splitlines())
    for name, reason in {
        'alone.jpg': 'alone.json',
        'cut.jpg': 'truncated',
        'other.jpg': "masks of the image 'sa_1.jpg'",
        'points.jpg': '',
        'sa_1.png': 'sa_1.jpg has the same mask file',
        'size.jpg': '20 x 30, the image has 22 x 30',
        'zero.jpg': 'the file is empty',
    }.items():
        assert reason in reasons.pop(name)
    assert not reasons
    small = decode_image((tmp_path / 'out/images/one.png').read_bytes())
    assert small.shape == (3, 4, 3)
    assert read_mask_file(tmp_path / 'out/annotations/one.json', (3, 4))


def test_a_sample_too_large_for_memory_costs_nothing_else(tool, source, tmp_path, monkeypatch):
    real = halving.decode_image

    def decode(content):
        if content == (source / 'images/deep/sa_3.png').read_bytes():
            raise MemoryError
        return real(content)

    monkeypatch.setattr(halving, 'decode_image', decode)
    tool.main([str(source), str(tmp_path / 'out'), '--quiet'])
    listed = tmp_path / 'out/annotations/.manifest/unreadable-0-of-1.txt'
    assert listed.read_text() == 'deep/sa_3.png\tMemoryError\n'
    assert len(files_of(tmp_path / 'out')) == 4


def test_wrong_inputs_are_named(tool, source, tmp_path):
    (tmp_path / 'list.txt').write_text('a.jpg\n')
    for arguments, message in (
        ((tmp_path / 'gone', 'out'), 'no folder, list or tar'),
        ((tmp_path / 'list.txt', 'out'), 'should be a folder or a tar'),
        ((source / 'annotations', 'out'), 'no image in'),
    ):
        with pytest.raises((OSError, RuntimeError, ValueError), match=f'{message}'):
            tool.main([str(argument) for argument in arguments])
    with pytest.raises(ValueError, match='nothing was written'):
        tool.main([str(source), str(source)])
