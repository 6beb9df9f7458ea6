import shutil

import pytest
import torch
from mmengine.config import Config

from mmseg_langseg.apis import run_training
from mmseg_langseg.apis.resume import given_checkpoint, newest_checkpoint


def config(work, **hook):
    hook = dict(by_epoch=False, **hook)
    return Config(dict(work_dir=str(work), launcher='none', default_hooks=dict(checkpoint=hook)))


def write(path, *left_out):
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {'meta', 'state_dict', 'message_hub', 'optimizer'} - set(left_out)
    content = {key: {'x': torch.zeros(100)} for key in keys}
    if 'meta' in keys:
        content['meta'] = {'epoch': 0, 'iter': 2} if 'iter' not in left_out else {'epoch': 0}
    torch.save(content, path)
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])
    return path


@pytest.fixture
def work(tmp_path):
    """Work folder with three checkpoints."""
    for number in (2, 4, 10):
        write(tmp_path / 'work' / f'iter_{number}.pth')
    last = tmp_path / 'work' / 'last_checkpoint'
    last.write_text(str(tmp_path / 'work' / 'iter_10.pth'))
    return tmp_path / 'work'


def newest(work, **hook):
    """Return the name of the newest checkpoint, and the messages about skipped ones."""
    path, skipped = newest_checkpoint(config(work, **hook))
    return path and path.removeprefix(f'{work}/'), '; '.join(skipped)


def test_the_file_that_last_checkpoint_names_is_taken(work):
    assert newest(work) == ('iter_10.pth', '')
    (work / 'last_checkpoint').write_text('iter_4.pth\n')
    assert newest(work) == ('iter_4.pth', '')


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'is empty'),
        (b'/gone/iter_7.pth', "names 'iter_7.pth', which is not in"),
        (b'\xff\xfe', "last_checkpoint' names"),
    ],
)
def test_a_bad_last_checkpoint_leaves_the_newest_file(work, content, reason):
    (work / 'last_checkpoint').write_bytes(content)
    name, skipped = newest(work)
    assert name == 'iter_10.pth' and reason in skipped


def test_without_last_checkpoint_the_highest_number_is_taken(work):
    (work / 'last_checkpoint').unlink()
    for name in ('epoch_11.pth', 'iter_12.pth.abc.tmp', 'best_mIoU_iter_13.pth', 'my_iter_14.pth'):
        (work / name).write_bytes(b'not to be taken')
    assert newest(work) == ('iter_10.pth', '')


def test_truncated_files_are_skipped_and_named(work):
    cut(work / 'iter_10.pth')
    (work / 'iter_4.pth').write_bytes(b'')
    name, skipped = newest(work)
    assert name == 'iter_2.pth' and 'iter_10.pth' in skipped and 'iter_4.pth' in skipped


def test_files_with_an_inverted_byte_are_skipped_by_name(work):
    path = work / 'iter_10.pth'
    content = bytearray(path.read_bytes())
    content[content.index(bytes(400)) + 200] ^= 255
    path.write_bytes(content)
    name, skipped = newest(work)
    assert name == 'iter_4.pth' and 'iter_10.pth' in skipped and 'Bad CRC-32' in skipped
    with pytest.raises(ValueError, match=r'iter_10\.pth.*Bad CRC-32.*--resume without'):
        given_checkpoint(str(path), config(work))


def test_training_does_not_start_over_unreadable_checkpoints(work):
    for path in work.glob('*.pth'):
        path.write_bytes(b'text')
    with pytest.raises(ValueError, match=r'No checkpoint in .*iter_10\.pth.*iter_2\.pth.*--resume'):
        newest(work)


def test_no_checkpoint_at_all(tmp_path):
    assert newest(tmp_path / 'none') == (None, '')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_2.pth')
    name, skipped = newest(tmp_path)
    assert name is None and "names 'iter_2.pth'" in skipped


def test_a_copied_folder_is_resumed_from_the_copy_even_if_it_lacks_the_file(work, tmp_path):
    copy = shutil.copytree(work, tmp_path / 'copy')
    assert newest(copy) == ('iter_10.pth', '')
    (copy / 'iter_10.pth').unlink()
    assert newest(copy)[0] == 'iter_4.pth'


def test_the_settings_of_the_checkpoint_hook_count(tmp_path):
    work = tmp_path / 'run'
    write(tmp_path / 'store' / 'run' / 'iter_6.pth')
    path, _ = newest_checkpoint(config(work, out_dir=str(tmp_path / 'store')))
    assert path == str(tmp_path / 'store' / 'run' / 'iter_6.pth')
    write(work / 'step-8.pth', 'optimizer')
    assert newest(work, filename_tmpl='step-{}.pth', save_optimizer=False)[0] == 'step-8.pth'
    with pytest.raises(ValueError, match='lacks optimizer'):
        newest(work, filename_tmpl='step-{}.pth')


def test_a_given_file_is_checked(tmp_path):
    cfg = config(tmp_path)
    good = str(write(tmp_path / 'good.pth'))
    assert given_checkpoint(good, cfg) == good
    bare = write(tmp_path / 'bare.pth', 'meta', 'message_hub', 'optimizer')
    with pytest.raises(ValueError, match=r'bare\.pth.*lacks meta, message_hub, opt.*load_from'):
        given_checkpoint(str(bare), cfg)
    with pytest.raises(ValueError, match=r'other\.pth.*lacks meta\.iter'):
        given_checkpoint(str(write(tmp_path / 'other.pth', 'iter')), cfg)
    (tmp_path / 'empty.pth').write_bytes(b'')
    for path in (tmp_path / 'empty.pth', cut(write(tmp_path / 'cut.pth'))):
        with pytest.raises(ValueError, match=rf'{path.name}.*--resume without'):
            given_checkpoint(str(path), cfg)
    torch.save([1], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match=r'list\.pth.*holds a list'):
        given_checkpoint(str(tmp_path / 'list.pth'), cfg)
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        given_checkpoint(str(tmp_path / 'gone.pth'), cfg)


def test_a_copied_run_with_a_truncated_file_resumes_by_itself(tiny_config, tmp_path):
    work, copy = tmp_path / 'work', tmp_path / 'copy'
    best = {'default_hooks.checkpoint.save_best': 'mIoU', 'train_cfg.val_interval': 2}
    run_training(tiny_config, str(work), cfg_options=best)
    shutil.copytree(work, copy)
    before = {path: path.read_bytes() for path in work.rglob('*') if path.is_file()}
    cut(copy / 'iter_4.pth')
    longer = {'train_cfg.max_iters': 8, 'default_hooks.checkpoint.max_keep_ckpts': 1, **best}
    # resume=True in the config is equivalent to --resume.
    run_training(tiny_config, str(copy), cfg_options={'resume': True, **longer})
    logs = '\n'.join(path.read_text() for path in copy.rglob('*.log'))
    assert f'Load checkpoint from {copy / "iter_2.pth"}' in logs
    assert f"Not resumed from: '{copy / 'iter_4.pth'}'" in logs
    assert [path.name for path in copy.glob('iter_*.pth')] == ['iter_8.pth']
    assert {path: path.read_bytes() for path in work.rglob('*') if path.is_file()} == before


def test_another_storage_is_left_to_mmengine(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/iter_2.pth')
    cfg = config(tmp_path, out_dir='s3://bucket')
    assert newest_checkpoint(cfg) == ('s3://bucket/run/iter_2.pth', [])
