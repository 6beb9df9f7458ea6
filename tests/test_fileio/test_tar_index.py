import io
import os
import tarfile

import pytest

from mmseg_langseg.fileio import BadFileError, TarIndex, tar_index

FILES = {
    './sa_2.jpg': b'two' * 700,
    './sa_10.jpg': b'',
    'deep/er/ä.json': b'{}' * 300,
    'n' * 150 + '.json': b'long name',
}


def write_tar(path, files, mode='w'):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.fixture
def tar(tmp_path):
    write_tar(tmp_path / 'a.tar', FILES)
    return tmp_path / 'a.tar'


def test_reads_what_tarfile_reads(tar):
    index = TarIndex(tar)
    assert index.names == sorted(name.removeprefix('./') for name in FILES) and len(index) == 4
    for name, content in FILES.items():
        name = name.removeprefix('./')
        assert index.read(name) == content and name in index
    for name in ('sa_1.jpg', 'sa_2.jp', 'sa_2.jpgg', '', 'deep'):
        assert name not in index
        with pytest.raises(FileNotFoundError, match=r"a\.tar' contains no"):
            index.read(name)


def test_the_index_is_made_once_and_kept_whole(tar, monkeypatch):
    TarIndex(tar)
    assert sorted(os.listdir(tar.parent)) == ['a.tar', 'a.tar.index.npz']
    made = (tar.parent / 'a.tar.index.npz').read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, 'open', lambda *_, **__: pytest.fail('the tar was read again'))
        assert TarIndex(tar).read('sa_2.jpg') == FILES['./sa_2.jpg']
    # A damaged index, or one of another tar, is rebuilt.
    (tar.parent / 'a.tar.index.npz').write_bytes(made[:-30])
    (tar.parent / 'a.tar.index.npz.abcd.tmp').write_bytes(made[:30])
    assert TarIndex(tar).read('sa_2.jpg') == FILES['./sa_2.jpg']
    assert (tar.parent / 'a.tar.index.npz').read_bytes() == made
    assert len(os.listdir(tar.parent)) == 2
    write_tar(tar, {'sa_3.jpg': b'three'})
    assert TarIndex(tar).names == ['sa_3.jpg']


def test_an_index_that_cannot_be_written_is_logged(tar, monkeypatch):
    def refuse(*_):
        raise OSError(30, 'Read-only file system', 'a.tar.index.npz')

    lines = []
    monkeypatch.setattr(tar_index, 'write_whole_file', refuse)
    monkeypatch.setattr(tar_index, 'print_log', lambda text, **_: lines.append(text))
    assert TarIndex(tar).read('sa_2.jpg') == FILES['./sa_2.jpg']
    assert len(lines) == 1 and 'Read-only file system' in lines[0]


def test_of_two_entries_of_a_name_the_last_counts_and_links_do_not(tar):
    with tarfile.open(tar, 'a') as archive:
        for name, kind in (('sa_2.jpg', tarfile.REGTYPE), ('l.jpg', tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, 'sa_10.jpg'
            entry.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(b'new'))
    write_tar(tar, {'._sa_2.jpg': b'x', '.hidden/sa_2.jpg': b'x'}, 'a')
    index = TarIndex(tar)
    assert index.read('sa_2.jpg') == b'new' and len(index) == 4


@pytest.mark.parametrize('cut', ['within', 'between', 'header', 'noise', 'empty', 'gz'])
def test_a_damaged_tar_is_named(tar, cut):
    content = tar.read_bytes()
    damaged = dict(
        within=content[:1024],
        # sa_2.jpg: one header block, five content blocks; then sa_10.jpg.
        between=content[: 6 * 512],
        header=content[: 6 * 512] + b'x' * 512 + content[7 * 512 :],
        noise=b'x' * 3000,
        empty=b'',
        gz=None,
    )[cut]
    if damaged is None:
        write_tar(tar, FILES, 'w:gz')
    else:
        tar.write_bytes(damaged)
    with pytest.raises(BadFileError, match=r"a\.tar' is (truncated|not an uncompressed tar)"):
        TarIndex(tar)
    assert os.listdir(tar.parent) == ['a.tar']


def test_a_tar_that_shrinks_while_in_use_is_named(tar):
    index = TarIndex(tar)
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(OSError, match=r"a\.tar' ends within 'sa_2\.jpg'"):
        index.read('sa_2.jpg')


def test_names_that_lead_out_of_the_folder_are_left_out(tmp_path):
    files = {name: b'x' for name in ('../a.jpg', '/etc/a.jpg', 'b/../../a.jpg', 'c.jpg', '..')}
    write_tar(tmp_path / 'a.tar', files)
    assert TarIndex(tmp_path / 'a.tar').names == ['c.jpg']
