"""The page in a real browser: every control, downloads to the pixel, and no other host.

With ``SCREENSHOT=docs/images/serve.png``, the test also takes the picture of the docs.
"""

import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.command_line import INTERRUPTED
from mmseg_langseg.export import class_colors
from mmseg_langseg.synthetic.renderer import render_scene
from mmseg_langseg.web.model_pool import ModelPool
from mmseg_langseg.web.segment_photo import PhotoSegmenter
from tests.scripts import ROOT

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
TEXTS = 'house; cookie; ball; grass'
SECONDS = 60
# Of the server, and of another host.
OTHER_FILES = ('/etc/passwd', str(ROOT / 'docs/images/serve.png'), 'http://127.0.0.1:9/a.png')
GRADIO_FILE = dict(meta={'_type': 'gradio.FileData'})
REMOVE = '#photo button[title="Remove Image"]'
OPTIONS = dict(viewport=dict(width=1280, height=1000), locale='en-US')

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


# Records connections of the server to other hosts.
AUDIT = """
import os
import sys

def note(event, values):
    if event in ('socket.connect', 'socket.getaddrinfo'):
        host = values[1] if event == 'socket.connect' else values
        host = host[0] if isinstance(host, tuple) else host
        if host not in ('127.0.0.1', None):
            with open(os.environ['CONNECTIONS'], 'a') as log:
                print(event, host, file=log)

sys.addaudithook(note)
"""


def need(condition, reason):
    """Skip the test, or let it fail in continuous integration."""
    if not condition:
        (pytest.fail if os.environ.get('REQUIRE_BROWSER') else pytest.skip)(reason)


@pytest.fixture(scope='module')
def browser():
    try:
        import gradio  # noqa: F401
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        need(False, f'{error}: install the extras web and tests')
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    need(program, f'there is no browser ({", ".join(BROWSERS)})')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])
        yield browser
        browser.close()


@contextmanager
def serving(folder):
    """Start the command; yield its address, and a file of the connections it makes."""
    (folder / 'site').mkdir()
    (folder / 'temporary').mkdir()
    log = folder / 'connections.txt'
    (folder / 'site' / 'sitecustomize.py').write_text(AUDIT)
    # Processes that a shell started in the background ignore SIGINT, and so do their children.
    command = (
        'import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); '
        'sys.argv[0] = "langseg"; from mmseg_langseg.cli import main; main()'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', command, 'serve', '--port', '0', '--device', 'cpu'],
        cwd=folder,
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(folder / 'site'), str(ROOT)]),
            'CONNECTIONS': str(log),
            'TMPDIR': str(folder / 'temporary'),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert re.fullmatch(r'http://127\.0\.0\.1:\d+\n', line), line + process.stdout.read()
        yield line.strip()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=SECONDS)[0]
    finally:
        process.kill()
    assert rest == '' and process.returncode == INTERRUPTED
    assert not list((folder / 'temporary').iterdir())
    assert not log.exists(), log.read_text()


class Visitor:
    """A tab of the browser."""

    def __init__(self, browser, address):
        self.hosts, self.errors = set(), []
        self.tab = browser.new_context(**OPTIONS).new_page()
        self.tab.set_default_timeout(SECONDS * 1000)
        self.tab.on('request', lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.tab.on('pageerror', lambda error: self.errors.append(str(error)))
        self.tab.goto(address)
        self.tab.wait_for_selector('#segment')

    def upload(self, path):
        if self.tab.locator(REMOVE).count():
            self.tab.click(REMOVE)
        with self.tab.expect_response(lambda response: '/upload' in response.url) as done:
            self.tab.set_input_files('#photo input[type=file]', path)
        if done.value.ok:
            self.tab.wait_for_selector(REMOVE)

    def start(self, texts):
        self.tab.fill('#texts textarea', texts)
        self.tab.click('#segment')

    def wait_for_status(self, text):
        found = '[document.querySelector("#status textarea").value, 1]'
        self.tab.wait_for_function(f'text => {found}[0].includes(text)', arg=text)
        return self.tab.input_value('#status textarea')

    def picture(self, name):
        self.tab.wait_for_selector(f'#{name} img')
        return self.tab.get_attribute(f'#{name} img', 'src')

    def pixels(self, address, mode='RGB'):
        path = self.tab.request.get(address)
        assert path.ok
        with Image.open(io.BytesIO(path.body())) as image:
            return np.asarray(image.convert(mode))

    def changed_picture(self, name, before):
        self.tab.wait_for_function(
            '([name, before]) => document.querySelector(`#${name} img`)?.src != before',
            arg=[name, before],
        )
        return self.picture(name)

    def download(self, name, folder):
        with self.tab.expect_download() as download:
            self.tab.click(f'#{name}')
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


def save_scene(index, folder):
    path = folder / f'scene {index}.png'
    Image.fromarray(render_scene('test', index, 96).image).save(path)
    return path


def save_screenshot(tab, path):
    tab.wait_for_timeout(1000)  # until animations have ended
    with Image.open(io.BytesIO(tab.screenshot(full_page=True))) as image:
        palette = image.convert('RGB').quantize(method=Image.Quantize.MAXCOVERAGE)
        palette.save(path, optimize=True)


def from_coco(path, classes, size):
    content = json.loads(path.read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    labels = np.full(size, len(classes) - 1)
    for annotation in content['annotations']:
        mask = coco_mask.decode(annotation['segmentation']).astype(bool)
        labels[mask] = classes.index(names[annotation['category_id']])
    return labels


def check_heat_map(found, expected):
    """Probabilities of another process may be rounded to the next level of the palette."""
    expected = np.asarray(expected.convert('RGB')).astype(int)
    assert np.abs(found - expected).max() <= 4


def check_controls(visitor, page, photo):
    """Switch a class off, choose another heat map, look at the margin."""
    found, _ = page((str(photo), photo.name), TEXTS, 'embedded')
    whole = visitor.picture('picture')
    assert np.array_equal(visitor.pixels(whole), np.asarray(found.picture()))
    labels = visitor.tab.locator('#classes .wrap label')
    assert labels.all_inner_texts() == [f'{n} {share:.1%}' for n, share in found.shares.items()]
    color = labels.nth(0).evaluate('e => getComputedStyle(e, "::before").backgroundColor')
    first = next(iter(found.shares))
    assert color == f'rgb{tuple(class_colors([first])[0].tolist())}'
    visitor.tab.uncheck(f'#classes input[name={first}]')
    rest = [name for name in found.shares if name != first]
    picture = visitor.changed_picture('picture', whole)
    assert np.array_equal(visitor.pixels(picture), np.asarray(found.picture(rest)))

    visitor.tab.get_by_role('tab', name='Heat map').click()
    before = visitor.picture('heat_map')
    check_heat_map(visitor.pixels(before), found.heat_map(first))
    visitor.tab.click('#heat_class input')
    visitor.tab.get_by_role('option', name='cookie').click()
    heat_map = visitor.changed_picture('heat_map', before)
    check_heat_map(visitor.pixels(heat_map), found.heat_map('cookie'))
    visitor.tab.get_by_role('tab', name='Margin').click()
    check_heat_map(visitor.pixels(visitor.picture('margin_map')), found.margin_map())
    visitor.tab.get_by_role('tab', name='Classes').click()


def check_downloads(visitor, segment, photo, folder, texts, threshold=None):
    expected = segment(photo, texts, threshold=threshold)
    labels = Image.open(visitor.download('label_file', folder))
    assert np.array_equal(np.asarray(labels), expected.labels)
    coco = visitor.download('coco_file', folder)
    found = from_coco(coco, expected.classes, expected.labels.shape)
    assert np.array_equal(found, expected.labels)


def check_messages(visitor, folder):
    (folder / 'text.jpg').write_text('text')
    visitor.tab.click(REMOVE)
    visitor.start('cat; dog')
    visitor.wait_for_status('There is no photo yet')
    visitor.upload(folder / 'text.jpg')
    visitor.start('cat; dog')
    visitor.wait_for_status("'text.jpg' cannot be decoded as an image")
    for texts, message in (('', 'There are no class names yet'), ('cat; CAT', 'occurs twice')):
        visitor.start(texts)
        visitor.wait_for_status(message)
    assert visitor.tab.is_disabled('#label_file') and not visitor.tab.is_visible('#classes')


def check_access(visitor, address):
    """The server gives away no other files, and fetches nothing."""
    for name in (*OTHER_FILES, '../../setup.py'):
        assert visitor.tab.request.get(f'{address}/gradio_api/file={name}').status in (403, 404)
    config = visitor.tab.request.get(f'{address}/config').json()
    event = next(entry['id'] for entry in config['dependencies'] if len(entry['inputs']) == 6)
    for number, (path, meta) in enumerate(itertools.product(OTHER_FILES, ({}, GRADIO_FILE))):
        values = [None, dict(path=path, **meta), TEXTS, 'embedded', 0, 0]
        call = dict(fn_index=event, session_hash=f'{number}', data=values)
        visitor.tab.request.post(f'{address}/gradio_api/queue/join', data=call)
        events = f'{address}/gradio_api/queue/data?session_hash={number}'
        assert 'Expected an uploaded photo' in visitor.tab.request.get(events).text(), path
    scripts = 'fetch("http://localhost:9/").then(() => "sent", () => "refused")'
    refused = []
    visitor.tab.on('console', lambda message: refused.append(message.text))
    assert visitor.tab.evaluate(scripts) == 'refused'
    assert any('Content Security Policy' in text for text in refused)


def test_page_in_a_browser(browser, tmp_path):
    segment = LangSegInferencer('embedded', device='cpu')
    page = PhotoSegmenter(ModelPool(dict(embedded=lambda: segment)), tmp_path)
    photo, other_photo = save_scene(203, tmp_path), save_scene(109, tmp_path)
    with serving(tmp_path) as address:
        visitor, other = Visitor(browser, address), Visitor(browser, address)
        # Before the uploads, as Gradio resets sliders within a few frames after they appear.
        other.tab.click('#rejection button')
        other.tab.wait_for_selector('#threshold')
        visitor.upload(photo)
        other.upload(other_photo)
        visitor.start(TEXTS)
        other.tab.fill('#threshold input[type=number]', '0.4')
        other.start('ring; heart; waves')
        assert visitor.wait_for_status('found') == '4 of 4 classes found.'
        assert other.wait_for_status('found') == '4 of 4 classes found.'
        if 'SCREENSHOT' in os.environ:
            save_screenshot(visitor.tab, os.environ['SCREENSHOT'])
        check_controls(visitor, page, photo)
        check_downloads(visitor, segment, photo, tmp_path, TEXTS)
        check_downloads(other, segment, other_photo, tmp_path, 'ring; heart; waves', 0.4)
        check_messages(visitor, tmp_path)
        assert visitor.hosts | other.hosts == {'127.0.0.1'}
        assert visitor.errors == other.errors == []
        check_access(visitor, address)
