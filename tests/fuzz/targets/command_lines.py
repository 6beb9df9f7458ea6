"""Fuzz target: commands with hostile arguments and files, run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import sys
import warnings
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from mmengine.logging import MMLogger
from PIL import Image

from mmseg_langseg.apis.command_line import run_command
from mmseg_langseg.masks.formats import encode_masks, write_mask_file
from tests.fuzz.harness import fill_outside
from tests.fuzz.strategies import mixed, mutated_bytes
from tests.fuzz.target import Target
from tests.fuzz.targets import coco_files, config_options, image_files, mask_files, vocabularies
from tests.fuzz.targets.region_maps import images as region_maps
from tests.scripts import load_script, tool_path
from tests.tiny import pixelclip_config

COMMANDS = {
    name: load_script(tool_path(name)).main
    for name in ('browse_masks', 'coco_masks', 'generate_masks', 'test', 'train')
}
COMMANDS['image_demo'] = load_script('demo/image_demo.py').main
# IN and OUT are sandbox folders; output paths are drawn only from OUT or the input files.
PATHS = ('', '.', 'IN/gone', 'IN/x.png', 'IN/images', 'IN/list.txt', 'IN/x.json', 'IN/config.py')
PATHS += ('IN/weights.pth', 'OUT', '/dev/null', 'IN/' + 'n' * 300, '\udcff', '-', '--x')
OUTS = ('OUT/new', 'OUT/new', 'OUT/new', 'OUT', 'OUT/new.png', 'OUT/new.txt', 'OUT/file/below')
OUTS += (
    'IN/x.png',
    'IN/x.json',
    'IN/config.py',
    'IN/images/x.png',
    'OUT/\udcff',
    'OUT/' + 'n' * 300,
)
OUTS += ('', 'OUT/link', '/dev/null/x', '/proc/x')
NUMBERS = (
    '1',
    '1',
    '1',
    '0/1',
    '0',
    '-1',
    'x',
    '',
    '1e9',
    'nan',
    '9' * 4400,
    '0/1',
    '3/2',
    '1/0',
    '٣',
    '²',
)
CONFIG = f"""
import mmseg_langseg
default_scope = 'mmseg'
model = {pixelclip_config()!r}
pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadLabelMap'), dict(type='PackSegInputs')]
dataset = dict(type='FolderSegDataset', classes='classes.txt', data_root='INPUTS',
    data_prefix=dict(img_path='test/images', seg_map_path='test/labels'), pipeline=pipeline)
test_dataloader = dict(batch_size=1, num_workers=0, dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False))
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
default_hooks = dict(visualization=dict(type='SegVisualizationHook'))
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
""".encode()
CONFIGS = (
    *(b'', b'model = dict(', b'x = 1 / 0', b"_base_ = './gone.py'", b"_base_ = './config.py'"),
    *(b'model = 3', b'model = dict(type="Gone")', b'\xff\xfe', b'raise SystemExit(3)', b'a\0'),
    *(b'model = dict(type="PixelCLIP")\ntest_dataloader = test_cfg = test_evaluator = 3',),
    *(b'train_dataloader = dict(dataset=dict(type="Gone"))\ntrain_cfg = dict(by_epoch=False)',),
    *(b"custom_imports = dict(imports=['no_such_module'])", b'import no_such_module', b'[' * 999),
)


def command_lines() -> st.SearchStrategy:
    """Draw a command and its arguments."""
    path, out, number = (st.sampled_from(some) for some in (PATHS, OUTS, NUMBERS))

    def usual(value: str, others: st.SearchStrategy) -> st.SearchStrategy:
        return mixed(*(st.just(value),) * 7, others)

    def option(name: str, values: st.SearchStrategy | None = None) -> st.SearchStrategy:
        given = st.just((name,)) if values is None else st.tuples(st.just(name), values)
        return mixed(*(st.just(()),) * 5, given)

    def line(name: str, *parts: st.SearchStrategy) -> st.SearchStrategy:
        stray = mixed(*(st.just(()),) * 19, st.tuples(path), st.tuples(number))
        return st.tuples(st.just(name), st.tuples(*parts, stray))

    config = usual('IN/config.py', path)
    settings = option('--cfg-options', config_options.options())
    words = st.tuples(st.just('--texts'), usual('cat; dog', vocabularies.strings() | path))
    # Without dino, which downloads weights.
    generator = st.sampled_from(('felzenszwalb', 'slic', 'slic', 'sam', 'gone', ''))
    return st.one_of(
        line('browse_masks', usual('IN/images', path), usual('IN/masks', path),
             usual('OUT/new', out), option('--sheet'), option('--max', number),
             option('--overwrite')),
        line('coco_masks', usual('IN/x.json', path), usual('OUT/new', out),
             option('--png-dir', path), option('--quiet')),
        line('generate_masks', usual('IN/images', path), usual('OUT/new', out),
             option('--format', st.sampled_from(('regions', 'sa1b', 'x'))),
             option('--generator', generator), option('--options', config_options.options()),
             option('--shard', number), option('--root', path)),
        line('image_demo', usual('IN/test/images/x.png', path), config,
             option('IN/weights.pth'), words,
             st.tuples(st.just('--out'), usual('OUT/new.png', out)),
             option('--opacity', number), settings),
        line('test', config, usual('none', path), option('--out', out), settings,
             option('--show-dir', out), option('--work-dir', out), option('--wait-time', number),
             mixed(st.just(()), words), option('--known', vocabularies.strings()), option('--tta')),
        line('train', config, option('--work-dir', out), settings, option('--resume', path),
             option('--known', vocabularies.strings())),
    )  # fmt: skip


def prepare(case: tuple, inputs: Path) -> None:
    (command, parts), image, masks, regions, coco, config, weights, odd_name = case
    arguments = [
        part for group in parts for part in ((group,) if isinstance(group, str) else group)
    ]
    (inputs / 'case.pkl').write_bytes(pickle.dumps((command, arguments)))
    for folder in ('images', 'masks', 'test/images', 'test/labels'):
        (inputs / folder).mkdir(parents=True)
    plain = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    plain.save(inputs / 'images/fine.png')
    plain.save(inputs / 'test/images/x.png')
    plain.convert('L').save(inputs / 'test/labels/x.png')
    rles = encode_masks(np.ones((1, 20, 30), bool))
    write_mask_file(inputs / 'masks/fine.json', rles, (20, 30), 'fine.png', 1)
    coco_files.prepare(coco, inputs)
    (inputs / 'x.png').write_bytes(image)
    (inputs / 'images/x.png').write_bytes(image)
    # File names from other systems: not UTF-8, a newline, a dash.
    (inputs / 'images' / os.fsdecode(odd_name + b'.png')).write_bytes(image)
    (inputs / 'masks/x.json').write_bytes(fill_outside(masks, inputs))
    (inputs / 'masks/y.png').write_bytes(regions)
    plain.save(inputs / 'images/y.jpg')
    (inputs / 'config.py').write_bytes(config.replace(b'INPUTS', os.fsencode(inputs)))
    (inputs / 'classes.txt').write_text('cat\ndog\n')
    (inputs / 'weights.pth').write_bytes(weights)
    (inputs / 'list.txt').write_bytes(b'images/fine.png\n../x\n/etc/passwd\n' + odd_name)
    out = inputs.parent / 'out'
    (out / 'file').write_bytes(b'')
    (out / 'link').symlink_to(inputs / 'x.png')


def run(inputs: Path, out: Path) -> None:
    command, arguments = pickle.loads((inputs / 'case.pkl').read_bytes())
    arguments = [
        re.sub('^(IN|OUT)(?=/|$)', lambda found: str(inputs if found[0] == 'IN' else out), text)
        for text in map(as_argument, arguments)
    ]
    # Like Python's own stdout, which cannot print text that is not valid UTF-8.
    said = io.TextIOWrapper(io.BytesIO(), 'utf-8')
    failed = io.TextIOWrapper(io.BytesIO(), 'utf-8', errors='backslashreplace')
    before, folder, argv = dict(os.environ), os.getcwd(), sys.argv
    os.chdir(out)
    sys.argv = [f'{command}.py', *arguments]
    MMLogger._instance_dict.clear()
    try:
        redirected = contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed)
        with redirected[0], redirected[1], warnings.catch_warnings():
            run_command(lambda: COMMANDS[command](arguments))
    except SystemExit as ended:
        if ended.code not in (None, 0):
            failed.flush()
            text = failed.buffer.getvalue().decode('utf-8')
            message = text.strip().splitlines()[-1] if ended.code == 2 else str(ended.code)
            assert re.match(rf'{command}(\.py: error)?: \S', message), f'no message: {message}'
            assert 'Traceback' not in text, text
            raise Refused(message) from ended
    finally:
        os.chdir(folder)
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)


def as_argument(text: str) -> str:
    """Convert text to what an OS can pass: no NUL, and invalid UTF-8 only as single bytes."""
    return re.sub('[\ud800-\udfff]', '\udcff', text.replace('\0', ''))


class Refused(Exception):
    """Raised when the command ended with a message."""


IMAGES = image_files.images() | mutated_bytes(image_files.images())
CASES = st.tuples(
    command_lines(),
    IMAGES,
    mask_files.CASES,
    region_maps(),
    coco_files.CASES,
    mixed(
        *(st.just(CONFIG),) * 4, st.sampled_from(CONFIGS), mutated_bytes(st.sampled_from(CONFIGS))
    ),
    st.sampled_from((b'', b'PK\x03\x04', b'\x80\x02}q\x00.', b'cposix\nsystem\n(Vid\ntR.')),
    st.sampled_from((b'z', b'\xff', b'a\nb', b'-x', b'a b', b'\xe2\x80\xae', b'*', b'%s')),
)
TARGET = Target(CASES, prepare, run, (Refused,), (': ',))
