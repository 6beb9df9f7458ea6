"""Text embedding cache: saves time; no failure of the cache stops a run."""

import errno
import io
import os
import stat
import time
import warnings

import pytest
import torch

from mmseg_langseg.models.text_encoders.embedding_cache import EmbeddingCache
from tests.distributed import run_processes

KEY = dict(words=(('cat',), ('dog',)), templates=('a {}',))
ROWS = torch.arange(6.0).view(2, 3)


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def denied(*args, **kwargs):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / 'deep' / 'cache')


def test_what_is_put_is_given_back(cache):
    assert cache.get(KEY, (2, 3)) is None
    cache.put(KEY, ROWS)
    assert torch.equal(cache.get(KEY, (2, 3)), ROWS)
    assert cache.get(dict(KEY, words=(('cat',),)), (2, 3)) is None


def test_files_have_the_permissions_of_the_umask(cache):
    before = os.umask(0o022)
    try:
        cache.put(KEY, ROWS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.path(KEY).stat().st_mode) == 0o644


def change_a_value(cache):
    path = cache.path(KEY)
    stored = torch.load(path, weights_only=True)
    stored['rows'][0, 0] = 0.5
    torch.save(stored, path)


def exchange_the_key(cache):
    other = dict(KEY, words=(('sky',), ('sea',)))
    cache.put(other, ROWS + 1)
    os.replace(cache.path(other), cache.path(KEY))


def save(content):
    return lambda cache: torch.save(content, cache.path(KEY))


@pytest.mark.parametrize(
    'damage',
    [
        lambda cache: cache.path(KEY).write_bytes(b''),
        lambda cache: cache.path(KEY).write_bytes(cache.path(KEY).read_bytes()[:200]),
        change_a_value,
        exchange_the_key,
        save(ROWS),
        save(dict(rows=ROWS)),
        save(dict(rows=[1], sha256='')),
        save([]),
    ],
)
def test_damaged_content_is_rebuilt_with_a_warning(cache, damage):
    cache.put(KEY, ROWS)
    damage(cache)
    with pytest.warns(UserWarning, match=r'\.pt. is damaged .* rebuilt'):
        assert cache.get(KEY, (2, 3)) is None
    cache.put(KEY, ROWS)
    assert torch.equal(cache.get(KEY, (2, 3)), ROWS)


def test_another_shape_is_rebuilt_with_a_warning(cache):
    cache.put(KEY, ROWS)
    with pytest.warns(UserWarning, match='rebuilt'):
        assert cache.get(KEY, (3, 2)) is None


def test_full_disk_warns_once_and_leaves_nothing(cache, monkeypatch):
    monkeypatch.setattr('mmseg_langseg.fileio.whole_file.os.replace', no_space)
    with pytest.warns(UserWarning, match=r'not written: .*No space left.* only slower') as caught:
        cache.put(KEY, ROWS)
        cache.put(KEY, ROWS)
    assert len(caught) == 1
    assert not list(cache.folder.iterdir())


def test_unreadable_files_warn_once(cache, monkeypatch):
    cache.put(KEY, ROWS)
    monkeypatch.setattr(f'{EmbeddingCache.__module__}.read_checkpoint', denied)
    with pytest.warns(UserWarning, match=r'cannot be read: .*Permission denied') as caught:
        assert cache.get(KEY, (2, 3)) is None
        assert cache.get(KEY, (2, 3)) is None
    assert len(caught) == 1


@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='root reads all')
def test_folder_without_permission_only_warns(cache):
    cache.put(KEY, ROWS)
    cache.folder.chmod(0)
    try:
        with pytest.warns(UserWarning, match='is not written') as caught:
            assert cache.get(KEY, (2, 3)) is None
            cache.put(KEY, ROWS)
        assert len(caught) == 1
    finally:
        cache.folder.chmod(0o700)


def test_a_folder_instead_of_the_file_only_warns(cache):
    cache.path(KEY).mkdir(parents=True)
    with pytest.warns(UserWarning) as caught:
        assert cache.get(KEY, (2, 3)) is None
        cache.put(KEY, ROWS)
    assert len(caught) == 1


def test_old_temporary_files_are_removed_and_new_ones_kept(cache):
    cache.put(KEY, ROWS)
    names = ['tmpab12.tmp', f'{cache.path(KEY).name}.x1.tmp', f'{"0" * 32}.pt.y.tmp']
    old, new = names[:2], names[2:]
    for name in [*names, 'mine.tmp']:
        (cache.folder / name).write_bytes(b'')
    for name in [*old, 'mine.tmp']:
        os.utime(cache.folder / name, (time.time() - 7200,) * 2)
    cache.put(KEY, ROWS)
    assert {path.name for path in cache.folder.iterdir()} == {
        cache.path(KEY).name, *new, 'mine.tmp',
    }  # fmt: skip


def write_and_read(rank, folder):
    cache = EmbeddingCache(folder)
    warnings.simplefilter('error')
    for _ in range(20):
        cache.put(KEY, ROWS)
        assert torch.equal(cache.get(KEY, (2, 3)), ROWS)
    return True


@pytest.mark.multiprocess
def test_processes_share_a_folder(tmp_path):
    assert run_processes(write_and_read, 2, tmp_path) == [True, True]
    assert len(list(tmp_path.iterdir())) == 1


def test_content_is_read_as_data_only(cache, tmp_path):
    class Command:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / 'CODE_WAS_RUN'),))

    cache.put(KEY, ROWS)
    buffer = io.BytesIO()
    torch.save(dict(rows=ROWS, sha256=Command()), buffer)
    cache.path(KEY).write_bytes(buffer.getvalue())
    with pytest.warns(UserWarning, match='rebuilt'):
        assert cache.get(KEY, (2, 3)) is None
    assert not (tmp_path / 'CODE_WAS_RUN').exists()
