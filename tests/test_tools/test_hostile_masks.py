"""Commands on hostile mask files that used to crash the tools or exhaust memory."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.targets.mask_files import runs_that_wrap
from tests.scripts import tool_path

MEMORY = 16 * 2**30
SIZE = (20, 30)


def run(tool, *arguments):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [sys.executable, tool_path(tool), *arguments]
    return subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, timeout=300)


def mask_file(counts):
    image = dict(width=SIZE[1], height=SIZE[0], file_name='')
    annotations = [dict(segmentation=dict(size=SIZE, counts=counts))]
    return json.dumps(dict(image=image, annotations=annotations))


def test_bad_mask_files_cost_nothing_else(tmp_path):
    files = {
        'wrap': mask_file(runs_that_wrap(2**64 + 600, 92_800)),
        'wrap32': mask_file([2**32 - 300, 600, 300]),
        'huge': mask_file([10**25, 600]),
        'brackets': '[' * 100_000,
        'mark': '\ufeff' + mask_file([100, 500]),
    }
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for name, content in files.items():
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / f'images/{name}.png')
        (tmp_path / f'masks/{name}.json').write_text(content, encoding='utf-8')
    done = run('browse_masks', tmp_path / 'images', tmp_path / 'masks', tmp_path / 'drawn')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name, reason in {
        'wrap': 'annotation 0: RLE has 92799 runs, more than pixels',
        'wrap32': 'annotation 0: RLE has a run of 4294966996 pixels',
        'huge': 'annotation 0: RLE has a run of 10',
        'brackets': 'nested too deeply',
    }.items():
        assert any(line.startswith(f'{name}.png: ') and reason in line for line in lines), name
    assert 'images            1' in lines
    assert [path.name for path in (tmp_path / 'drawn').iterdir()] == ['mark.jpg']


@pytest.mark.parametrize('hostile', ['1e9', 'outside'])
def test_bad_coco_annotations_cost_nothing_else(tmp_path, hostile):
    names = ['a.jpg', '../../b.jpg' if hostile == 'outside' else 'b.jpg']
    images = [dict(id=i, file_name=name, height=64, width=64) for i, name in enumerate(names)]
    corner = 1e9 if hostile == '1e9' else 9
    annotations = [
        dict(id=i, image_id=i, segmentation=[[0, 0, side, 0, side, side]])
        for i, side in enumerate((9, corner))
    ]
    path = tmp_path / 'in' / 'coco.json'
    path.parent.mkdir()
    path.write_text(json.dumps(dict(images=images, annotations=annotations)))
    out = tmp_path / 'in' / 'out' / 'masks'
    done = run('coco_masks', path, out)
    assert done.returncode == 0, done.stderr
    assert '1 images, 1 made' in done.stdout or '2 images, 1 made' in done.stdout
    reason = 'far outside the image' if hostile == '1e9' else 'does not name a file inside'
    assert reason in done.stdout
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*.json'))
    assert [name for name in made if '.manifest' not in name] == [
        'in/coco.json',
        'in/out/masks/a.json',
    ]


def test_errors_end_in_their_message(tmp_path):
    done = run('coco_masks', tmp_path / 'gone.json', tmp_path / 'out')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1].startswith('coco_masks: ')
    assert 'gone.json' in done.stderr
