import os
import subprocess

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.masks.formats import (
    encode_masks,
    read_mask_file,
    read_region_map,
    write_mask_file,
)
from tests.scripts import ROOT, load_script

SCRIPT = ROOT / 'tools' / 'dist_generate_masks.sh'


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/generate_masks.py')


@pytest.fixture(scope='module')
def viewer():
    return load_script('tools/analysis_tools/browse_masks.py')


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('a/1.png', 'a/2.png', '3.jpg'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)).save(path)
    (tmp_path / 'images' / 'bad.jpg').write_bytes(b'')
    return tmp_path / 'images'


def test_masks_of_a_folder(tool, images, tmp_path, capsys):
    options = ['--options', 'max_regions=5', 'scale=10']
    tool.main([str(images), str(tmp_path / 'masks'), *options])
    printed = capsys.readouterr()
    assert '4 images, 3 made, 0 kept, 15 masks, 1 could not be used' in printed.out
    assert 'bad.jpg: the file is empty' in printed.out
    assert 'felzenszwalb: 100%' in printed.err and 'image/s' in printed.err
    assert len(read_mask_file(tmp_path / 'masks/a/2.json', (24, 32))) == 5
    with pytest.raises((OSError, RuntimeError, ValueError), match=r'max_regions was 5, is 6'):
        tool.main([str(images), str(tmp_path / 'masks'), '--options', 'max_regions=6', 'scale=10'])


def test_regions_of_a_shard_of_a_list(tool, images, tmp_path, capsys):
    (tmp_path / 'list.txt').write_text('a/1.png\na/2.png\n3.jpg\n')
    arguments = [tmp_path / 'list.txt', tmp_path / 'maps', '--root', images]
    options = ['--generator', 'slic', '--format', 'regions', '--shard', '1/2', '--quiet']
    tool.main([*map(str, arguments), *options])
    assert not capsys.readouterr().err
    made = sorted(path.name for path in (tmp_path / 'maps').rglob('*.png'))
    assert made == ['1.png']
    assert read_region_map(tmp_path / 'maps/a/1.png', (24, 32)).max() < 48


@pytest.mark.parametrize('shard', ['3/3', '1', '-1/2', 'a/b', '1/0'])
def test_impossible_shards_are_refused(tool, shard, capsys):
    with pytest.raises(SystemExit):
        tool.main(['in', 'out', f'--shard={shard}'])
    assert f"'{shard}' is not a shard" in capsys.readouterr().err


def test_bad_inputs_end_with_one_line(tool, tmp_path):
    for arguments, message in (
        (['gone', 'out'], "no folder, list or tar 'gone'"),
        ([str(ROOT / 'tests/data'), str(tmp_path)], 'no image in'),
        ([str(ROOT / 'docs/images'), str(tmp_path), '--options', 'size=3'], 'unknown options'),
    ):
        with pytest.raises((OSError, RuntimeError, ValueError), match=f'{message}'):
            tool.main(arguments)


def start_shards(tmp_path, monkeypatch, *arguments, status=0):
    """Return the commands that the script starts, printed by a stand-in for Python."""
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\necho "[$CUDA_VISIBLE_DEVICES] $@"\nexit {status}\n')
    python.chmod(0o755)
    monkeypatch.setenv('PATH', os.pathsep.join([str(tmp_path), os.environ['PATH']]))
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)


def test_the_script_starts_a_shard_for_each_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,6')
    done = start_shards(tmp_path, monkeypatch, '3', 'in put', 'out', '--format', 'regions')
    assert done.returncode == 0, done.stderr
    tool = ROOT / 'tools' / 'generate_masks.py'
    start = f'{tool} in put out --format regions --shard'
    assert sorted(done.stdout.splitlines()) == [
        f'[4] {start} 0/3',
        f'[4] {start} 2/3 --quiet',
        f'[6] {start} 1/3 --quiet',
    ]


def test_the_script_tells_when_a_shard_fails(tmp_path, monkeypatch):
    monkeypatch.setenv('NNODES', '2')
    monkeypatch.setenv('NODE_RANK', '1')
    done = start_shards(tmp_path, monkeypatch, '2', 'in', 'out', status=3)
    assert done.returncode == 1
    assert '--shard 2/4' in done.stdout and '--shard 3/4 --quiet' in done.stdout
    assert subprocess.run([SCRIPT], capture_output=True).returncode == 2


def test_viewer_draws_and_counts(viewer, images, tmp_path, capsys):
    stripes = np.zeros((2, 24, 32), bool)
    stripes[0, :12], stripes[1, 4:6, :8] = True, True
    for name, masks in (('a/1', stripes), ('a/2', stripes[:0]), ('3', stripes[:1])):
        rles = encode_masks(masks)
        write_mask_file(tmp_path / f'masks/{name}.json', rles, (24, 32), name)
    arguments = [str(images), str(tmp_path / 'masks')]
    viewer.main([*arguments, str(tmp_path / 'drawn'), '--max', '2'])
    printed = capsys.readouterr().out
    assert 'bad.jpg: ' in printed
    assert 'masks per image   mean 1.0, median 1, from 0 to 2; 1 images have none' in printed
    assert 'coverage          mean 33.3%, from 0.0% to 50.0%' in printed
    # 16 of 768 pixels, and two halves.
    assert '1.00% to  10.00%        1  33.3%' in printed
    assert '10.00% to 100.00%        2  66.7%' in printed
    drawn = {
        path.relative_to(tmp_path / 'drawn').as_posix()
        for path in tmp_path.rglob('*.jpg')
        if 'drawn' in path.parts
    }
    assert drawn == {'3.jpg', 'a/1.jpg'}
    viewer.main([*arguments, str(tmp_path / 'sheet.png'), '--sheet'])
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (320, 960, 3)


def test_viewer_paints_small_masks_over_large_ones(viewer):
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 5:9, 5:9], masks[1, :15] = True, True
    image = np.full((20, 20, 3), 100, np.uint8)
    drawn = viewer.draw_masks(image, masks)
    assert np.array_equal(drawn[15:], image[15:])
    colors = {name: tuple(drawn[place]) for name, place in (('small', (7, 7)), ('large', (2, 2)))}
    assert colors['small'] != colors['large'] and (100, 100, 100) not in colors.values()


def test_viewer_names_bad_arguments(viewer, images, tmp_path):
    with pytest.raises((OSError, RuntimeError, ValueError), match='no image has usable masks'):
        viewer.main([str(images), str(tmp_path)])
    with pytest.raises(ValueError, match=r'sheet should be a \.png or \.jpg file'):
        viewer.main([str(images), str(tmp_path), 'out.gif', '--sheet'])
