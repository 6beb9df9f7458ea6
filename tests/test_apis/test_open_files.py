"""The limit of open files is checked before data loader workers start."""

import multiprocessing
import os
import resource

import pytest
from mmengine.config import Config, ConfigDict

from mmseg_langseg.apis import run_training
from mmseg_langseg.apis.open_files import check_open_files
from tests.test_engine.runners import CONFIG

OPTIONS = dict(train_dataloader=dict(num_workers=4, batch_size=18))


def train_with_few_files(limit, work_dir, answers):
    """Run the training of ``OPTIONS`` after ``ulimit -n LIMIT`` and send its error."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(OPTIONS)
    try:
        run_training(cfg, work_dir=work_dir)
    except OSError as error:
        answers.send(str(error))


def test_too_few_files_end_the_training_before_it_starts(tmp_path):
    """In a process of its own, as a hard limit cannot be raised again."""
    context = multiprocessing.get_context('fork')
    ours, theirs = context.Pipe()
    limit = 30 + len(os.listdir('/dev/fd'))  # pytest has files open
    process = context.Process(
        target=train_with_few_files, args=(limit, str(tmp_path / 'work'), theirs)
    )
    process.start()
    theirs.close()
    try:
        assert ours.poll(60)
        message = ours.recv()
    finally:
        process.kill()
    assert message.startswith(f'At most {limit} files can be open (ulimit -Hn)')
    assert 'train_dataloader.num_workers=4 may need' in message
    assert not (tmp_path / 'work').exists()


@pytest.fixture
def soft_limit():
    """Lower the soft limit to what is in use; the hard limit must be above 1024."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowered = len(os.listdir('/dev/fd')) + 30
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, limits[1]))
    yield lowered
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_soft_limit_is_raised_for_all_workers(soft_limit):
    limit = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # noqa: E731
    check_open_files(
        ConfigDict(train_dataloader=dict(num_workers=0, batch_size=99)), 'train_dataloader'
    )
    assert limit() == soft_limit
    loader = dict(num_workers=4, batch_size=2)
    cfg = ConfigDict(train_dataloader=loader, val_dataloader=dict(num_workers=1))
    check_open_files(cfg, 'train_dataloader')
    one = limit()
    assert one >= soft_limit + 4 * 2 * 2 * 4 - 30  # workers, batches ahead, samples, tensors
    check_open_files(cfg, 'train_dataloader', 'val_dataloader')
    assert limit() == one + 2 * 4 + 3
    check_open_files(cfg, 'train_dataloader')
    assert limit() == one + 2 * 4 + 3
