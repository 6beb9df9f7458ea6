"""Mask tools never overwrite their inputs, or files that they did not create."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.masks.formats import encode_masks, write_mask_file, write_region_map
from tests.scripts import ROOT, load_script, tool_path

SIZE = (24, 32)
VIEWS = 'configs/clips4/r50_photos.py'
TOOLS = ('generate_masks', 'halve_sa1b', 'browse_masks', 'browse_dataset', 'coco_masks')


@pytest.fixture(scope='module')
def tools():
    return {name: load_script(tool_path(name)) for name in TOOLS}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Current folder with photos, masks, region maps and annotations."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'work'
    for name in ('a.png', 'b.jpg', '0001_a.png'):
        photo = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        for images in (folder / 'images', folder / 'sa1b/images'):
            images.mkdir(parents=True, exist_ok=True)
            photo.save(images / name)
        stem = name.split('.')[0]
        rles = encode_masks(rng.random((2, *SIZE)) < 0.5)
        for masks in (folder / 'masks', folder / 'sa1b/annotations'):
            write_mask_file(masks / f'{stem}.json', rles, SIZE, name)
        write_region_map(folder / 'maps' / f'{stem}.png', rng.integers(0, 5, SIZE))
    infos = [
        dict(id=i, file_name=name, height=SIZE[0], width=SIZE[1])
        for i, name in enumerate(('a.jpg', 'coco.jpg'))
    ]
    polygon = [[1, 1, 9, 1, 9, 9]]
    annotations = [dict(id=1, image_id=0, segmentation=polygon)]
    (folder / 'coco.json').write_text(json.dumps(dict(images=infos, annotations=annotations)))
    (folder / 'list.txt').write_text('a.png\nb.jpg\n')
    (folder / 'link').symlink_to('images')
    monkeypatch.chdir(folder)
    return folder


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file()
    }


DRAW = ['--max', '3', '--cfg-options']
DATA = [f'train_dataloader.dataset.{option}' for option in (
    'data_root=.', 'data_prefix.img_path=images', 'pipeline.2.transforms.0.crop_size=(16,16)'
)]  # fmt: skip
COMMANDS = [
    ('generate_masks', 'images images --format regions'),
    ('generate_masks', 'images link --format regions'),
    ('generate_masks', 'images masks'),
    ('generate_masks', 'images maps --format regions'),
    ('generate_masks', 'list.txt images --root images --format regions'),
    ('halve_sa1b', 'sa1b sa1b'),
    ('halve_sa1b', 'images .'),
    ('halve_sa1b', 'sa1b masks/..'),
    ('browse_masks', 'images masks images'),
    ('browse_masks', 'images masks images --overwrite'),
    ('browse_masks', 'images masks link --overwrite'),
    ('browse_masks', 'images maps maps --overwrite'),
    ('browse_masks', 'images masks images/a.png --sheet'),
    ('browse_masks', 'images masks images/a.png --sheet --overwrite'),
    ('browse_masks', 'images masks link/b.jpg --sheet --overwrite'),
    ('browse_masks', 'images maps maps/a.png --sheet --overwrite'),
    ('browse_masks', 'list.txt masks images --root images --overwrite'),
    ('browse_masks', 'images masks ./images/../images'),
    ('browse_dataset', f'{ROOT / VIEWS} images --max 3'),
    ('browse_dataset', f'{ROOT / VIEWS} images --max 3 --overwrite'),
    ('coco_masks', 'coco.json .'),
    ('coco_masks', 'coco.json masks'),
]


@pytest.mark.parametrize('name, command', COMMANDS, ids=[' '.join(c)[-60:] for c in COMMANDS])
def test_inputs_are_never_overwritten(tools, work, name, command):
    before = digests(work)
    arguments = command.split()
    if name == 'browse_dataset':
        arguments += ['--cfg-options', *DATA]
    with pytest.raises(
        (OSError, ValueError), match=r'exists|overwritten|nothing was written|taken for'
    ):
        tools[name].main(arguments)
    after = digests(work)
    assert {path: after[path] for path in before} == before


FOREIGN = [
    ('generate_masks', 'images out', 'out/a.json', b'{"mine": [1, 2]}'),
    ('generate_masks', 'images out --format regions', 'out/a.png', None),
    ('halve_sa1b', 'sa1b out', 'out/annotations/a.json', b'notes'),
    ('halve_sa1b', 'sa1b out', 'out/images/a.png', None),
    ('browse_masks', 'images masks out', 'out/a.jpg', None),
    ('browse_masks', 'images masks out.png --sheet', 'out.png', None),
    ('browse_dataset', f'{ROOT / VIEWS} out', 'out/0001_a.png', None),
    ('coco_masks', 'coco.json out', 'out/a.json', b'["mine"]'),
]


@pytest.mark.parametrize('again', [False, True])
@pytest.mark.parametrize('name, command, path, content', FOREIGN, ids=[c[2] for c in FOREIGN])
def test_files_of_another_origin_are_never_overwritten(
    tools, work, capsys, again, name, command, path, content
):
    arguments = command.split()
    if name == 'browse_dataset':
        arguments += ['--cfg-options', *DATA]
    if again:
        # An earlier run left its manifest, and the user created a file of the same name.
        tools[name].main(arguments)
        if path.startswith('out/images'):
            (work / 'out/annotations/a.json').unlink()
    content = content or (work / 'images/b.jpg').read_bytes()
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_bytes(content)
    try:
        tools[name].main(arguments)
        told = capsys.readouterr().out
    except (OSError, ValueError) as error:
        told = str(error)
    assert (work / path).read_bytes() == content
    # If several drawings exist, the first is named.
    assert 'exists' in told and (path in told or (again and 'browse' in name))


@pytest.mark.parametrize('name', ['browse_masks', 'browse_dataset'])
def test_own_drawings_are_replaced_on_request(tools, work, name):
    command = {
        'browse_masks': ['images', 'masks', 'out'],
        'browse_dataset': [str(ROOT / VIEWS), 'out', '--max', '1', '--cfg-options', *DATA],
    }[name]
    tools[name].main(command)
    drawn = digests(work / 'out')
    (first, *_) = drawn
    (work / 'out' / first).write_bytes(b'an earlier drawing')
    with pytest.raises(FileExistsError, match='--overwrite'):
        tools[name].main(command)
    tools[name].main(['--overwrite', *command])
    assert digests(work / 'out') == drawn


@pytest.mark.parametrize('out', ['images/drawn', 'link/drawn', 'images/new.png --sheet'])
def test_drawings_do_not_go_among_the_images(tools, work, out):
    with pytest.raises(ValueError, match='drawings would be taken for images'):
        tools['browse_masks'].main(['images', 'masks', *out.split()])


def test_images_of_one_stem_do_not_share_a_drawing(tools, work, capsys):
    shutil.copy('images/b.jpg', 'images/a.jpg')
    tools['browse_masks'].main(['images', 'masks', 'out'])
    assert 'a.png: a.jpg has the same mask file' in capsys.readouterr().out
    assert sorted(path.name for path in (work / 'out').iterdir()) == [
        '0001_a.jpg',
        'a.jpg',
        'b.jpg',
    ]
