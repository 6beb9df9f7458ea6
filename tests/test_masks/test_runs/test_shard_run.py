import errno
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import build_generator
from mmseg_langseg.masks.runs import generate_masks
from tests.test_masks.tiles import masks_of, run, tree


class KilledError(BaseException):
    pass


class KillingDisk:
    """Simulates a kill of the process at one of the steps of writing files.

    No file operation works after the kill, so clean-up code has no effect.
    """

    def __init__(self, monkeypatch, steps):
        self.steps = steps
        self.dead = False
        for owner, name in ((os, 'fdopen'), (os, 'replace'), (os, 'link'), (Path, 'unlink')):
            real = getattr(owner, name)
            monkeypatch.setattr(owner, name, self.wrap(real, name))

    def wrap(self, real, name):
        def call(*args, **kwargs):
            if self.dead:
                return None
            if name == 'fdopen':
                return HalfWritten(real(*args, **kwargs), self)
            self.step()
            result = real(*args, **kwargs)
            self.step()
            return result

        return call

    def step(self):
        self.steps -= 1
        if self.steps == 0:
            self.dead = True
            raise KilledError


class HalfWritten:
    def __init__(self, file, disk):
        self.file, self.disk = file, disk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        self.disk.step()
        self.file.write(content[: len(content) // 2])
        self.disk.step()
        self.file.write(content[len(content) // 2 :])
        self.disk.step()


def test_shards_make_what_one_run_makes(images, tmp_path):
    run(images, tmp_path / 'one')
    reports = [run(images, tmp_path / 'all', shard=(i, 4)) for i in (2, 0, 3, 1)]
    assert [report.made for report in reports] == [1, 2, 1, 2]
    assert masks_of(tmp_path / 'all') == masks_of(tmp_path / 'one')
    for shard in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match=f'shard {shard[0]}/{shard[1]}'):
            run(images, tmp_path / 'all', shard=shard)


def test_complete_files_are_kept_and_broken_ones_made_again(images, tmp_path):
    out = tmp_path / 'out'
    for file_format, suffix in (('sa1b', '.json'), ('regions', '.png')):
        run(images, out / file_format, file_format)
        before = tree(out / file_format)
        kept, cut, empty = (out / file_format / f'{stem}{suffix}' for stem in ('a/1', 'a/2', '5'))
        inode = kept.stat().st_ino
        cut.write_bytes(cut.read_bytes()[:-9])
        empty.write_bytes(b'')
        (out / file_format / f'a/1{suffix}.x1y2z3.tmp').write_bytes(b'half')
        report = run(images, out / file_format, file_format)
        assert (report.made, report.kept, report.masks) == (2, 4, 24)
        assert kept.stat().st_ino == inode
        assert tree(out / file_format) == before


def test_killed_at_random_moments_it_ends_with_the_same_files(images, tmp_path):
    (images / 'b/4.jpg').write_bytes(b'broken')
    rng = random.Random(0)
    kills = halves = 0
    for file_format in ('sa1b', 'regions'):
        run(images, tmp_path / file_format, file_format)
        expected = tree(tmp_path / file_format)
        for attempt in range(4):
            out = tmp_path / f'{file_format}{attempt}'
            for _ in range(50):
                with pytest.MonkeyPatch.context() as patch:
                    KillingDisk(patch, rng.randint(1, 16))
                    try:
                        run(images, out, file_format)
                    except KilledError:
                        kills += 1
                halves += any(name.endswith('.tmp') for name in tree(out))
                if tree(out) == expected:
                    break
            run(images, out, file_format)
            assert tree(out) == expected
    assert kills >= 20 and halves >= 5


@pytest.mark.multiprocess
@pytest.mark.parametrize('options', [(), ('--format', 'regions', '--writers', '2')])
def test_killed_for_real_it_ends_with_the_same_files(images, options):
    script = Path(__file__).with_name('kill_generation.py')
    command = [sys.executable, script, images, '--kills', '20', *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout.rsplit('\n', 2)[-2].split(' kills')[0])
    assert kills >= 20 and 'all files are the same' in done.stdout


def test_a_full_disk_stops_with_the_files_name_and_no_half_file(images, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    real, calls = os.fdopen, []

    class FullDisk(HalfWritten):
        def write(self, content):
            self.file.write(content[:5])
            raise OSError(errno.ENOSPC, 'No space left on device')

    def fdopen(*args):
        calls.append(args)
        return real(*args) if len(calls) < 4 else FullDisk(real(*args), None)

    monkeypatch.setattr(os, 'fdopen', fdopen)
    with pytest.raises(OSError, match=r"No space left on device: '.*a/2\.json'"):
        run(images, out)
    assert set(masks_of(out)) == {'5.json', 'a/1.json'}
    monkeypatch.undo()
    assert run(images, out).made == 4


def test_two_runs_at_once_lose_nothing(images, tmp_path):
    run(images, tmp_path / 'one')
    expected = tree(tmp_path / 'one')
    for attempt in range(5):
        out = tmp_path / f'two{attempt}'
        errors = []

        def work(out=out, errors=errors):
            try:
                run(images, out)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and tree(out) == expected


def test_other_settings_are_refused(images, tmp_path):
    run(images, tmp_path / 'out')
    before = tree(tmp_path / 'out')
    with pytest.raises(ValueError, match="other settings: format was 'sa1b', is 'regions'"):
        run(images, tmp_path / 'out', 'regions')
    source = open_image_source(images)
    generator = build_generator('felzenszwalb', scale=5)
    with pytest.raises(ValueError, match=r"generator was 'tiles', .*scale was None, is 5"):
        generate_masks(source, tmp_path / 'out', generator, 'felzenszwalb', progress=False)
    assert tree(tmp_path / 'out') == before


def test_files_of_another_origin_are_refused(images, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/5.json').write_text('{}')
    with pytest.raises(ValueError, match=r"5\.json' exists, but .* has no manifest"):
        run(images, tmp_path / 'out')
    assert list(tree(tmp_path / 'out')) == ['5.json']


def test_manifest(images, tmp_path):
    (images / 'b/4.jpg').write_bytes(b'')
    run(images, tmp_path / 'out')
    folder = tmp_path / 'out' / '.manifest'
    content = json.loads((folder / 'settings.json').read_text())
    assert content['settings'] == dict(generator='tiles', format='sa1b')
    assert {'mmseg_langseg', 'numpy', 'scikit-image'} == set(content['versions'])
    counts = json.loads((folder / 'shard-0-of-1.json').read_text())
    assert counts == dict(images=6, files=5, masks=20, unreadable=1)
    assert (folder / 'unreadable-0-of-1.txt').read_text() == 'b/4.jpg\tthe file is empty\n'


@pytest.mark.parametrize(
    'content', ['', '[]', '{"settings": 3}', '{"settings": [], "versions": {}}', '[' * 9999, 'x']
)
def test_a_damaged_manifest_is_named(images, tmp_path, content):
    run(images, tmp_path / 'out')
    (tmp_path / 'out/.manifest/settings.json').write_text(content)
    with pytest.raises(ValueError, match=r"settings\.json' is damaged or not a manifest"):
        run(images, tmp_path / 'out')
    (tmp_path / 'out/.manifest/settings.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match=r"settings\.json' is damaged or not a manifest"):
        run(images, tmp_path / 'out')


def test_too_many_open_files_stop_the_run(images, tmp_path, monkeypatch):
    def fail(self, name):
        raise OSError(errno.EMFILE, 'Too many open files', name)

    monkeypatch.setattr('mmseg_langseg.fileio.ImageSource.read', fail)
    with pytest.raises(OSError, match='Too many open files'):
        run(images, tmp_path / 'out')
    assert not (tmp_path / 'out/.manifest/shard-0-of-1.json').exists()
