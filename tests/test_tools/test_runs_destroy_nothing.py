"""No training, test or comparison writes over its config, its data or files of another origin."""

import hashlib
import json

import pytest
import torch
from PIL import Image

from mmseg_langseg.apis import compare as compare_api
from mmseg_langseg.apis import run_test, run_training
from mmseg_langseg.apis import train as train_api
from mmseg_langseg.apis.compare import compare_trained, settings_key
from tests.scripts import ROOT, load_script, tool_path

DRAW = {'default_hooks.visualization.interval': 1}


def digests(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file() and not path.name.startswith('.training')
    }


def unsupervised(config, work_dir):
    options = ['--points', '50', '--work-dir', str(work_dir)]
    load_script(tool_path('test_unsupervised')).main([str(config), *options])


RUNS = dict(
    train=lambda config, work: run_training(config, str(work)),
    test=lambda config, work: run_test(config, work_dir=str(work)),
    test_unsupervised=unsupervised,
)


@pytest.fixture
def embedded(tmp_path):
    """A config of an embedding without words."""
    path = tmp_path / 'embedded.py'
    base = str(ROOT / 'configs/clips4/resnet_synthetic.py')
    path.write_text(
        f'_base_ = [{base!r}]\n'
        'model = dict(clip=dict(pretrained=None))\ntest_dataloader = dict(num_workers=0, '
        'persistent_workers=False, dataset=dict(num_scenes=2))\n'
    )
    return path


@pytest.mark.parametrize('name', RUNS)
@pytest.mark.parametrize('case', ['itself', 'stranger', 'linked'])
def test_a_config_of_the_same_name_stays_as_it_is(tiny_config, embedded, tmp_path, name, case):
    config = embedded if name == 'test_unsupervised' else tiny_config
    work = tmp_path / 'work'
    work.mkdir()
    there = work / config.name
    if case == 'linked':
        there.symlink_to(config)
    else:
        there.write_text(config.read_text())
    if case == 'itself':
        config = there
    content = there.read_text()
    for number in (1, 2):
        RUNS[name](config, work)
        assert there.read_text() == content and there.is_symlink() == (case == 'linked')
        assert len(list(work.glob(f'*/{config.name}'))) == number
        for path in work.glob('iter_*.pth'):
            path.unlink()
    assert any('stays as it is' in path.read_text() for path in work.glob('*/*.log'))


def test_the_dump_of_an_earlier_run_is_replaced_unless_it_was_edited(tiny_config, tmp_path):
    dump = tmp_path / 'work' / 'tiny.py'
    for seed in (1, 2):
        options = {'randomness.seed': seed}
        run_test(tiny_config, work_dir=str(dump.parent), cfg_options=options)
        assert f'seed={seed}' in dump.read_text().replace("'seed': ", 'seed=')
    # An input now.
    before = dump.read_text()
    run_test(dump, work_dir=str(dump.parent), cfg_options={'randomness.seed': 3})
    assert dump.read_text() == before
    dump.write_text(before + '# mine\n')
    run_test(tiny_config, work_dir=str(dump.parent))
    assert dump.read_text() == before + '# mine\n'


@pytest.fixture
def used(tiny_config, tmp_path):
    """A work folder of a training."""
    work = tmp_path / 'work'
    best = {'default_hooks.checkpoint.save_best': 'mIoU', 'train_cfg.val_interval': 2}
    run_training(tiny_config, str(work), cfg_options=best)
    assert (work / 'iter_2.pth').is_file() and (work / 'iter_4.pth').is_file()
    return work


def refuse_training(monkeypatch, match, config, work, error=FileExistsError, **options):
    before = digests(work)
    with monkeypatch.context() as patch:
        patch.setattr(train_api, 'launch_runner', lambda cfg: pytest.fail('too late'))
        with pytest.raises(error, match=match):
            run_training(config, str(work), **options)
    assert digests(work) == before


def test_checkpoints_are_not_replaced_by_a_new_training(tiny_config, used, tmp_path, monkeypatch):
    remedy = 'iter_2.pth, iter_4.pth.*nothing was written.*--resume.*--work-dir'
    refuse_training(monkeypatch, remedy, tiny_config, used)
    inside = {'load_from': str(used / 'iter_2.pth')}
    match = 'load_from .*iter_2.pth. is among them'
    refuse_training(monkeypatch, match, tiny_config, used, cfg_options=inside)
    # Another run's checkpoint to resume from does not ask for those of the folder.
    elsewhere = tmp_path / 'elsewhere.pth'
    elsewhere.write_bytes((used / 'iter_2.pth').read_bytes())
    refuse_training(monkeypatch, remedy, tiny_config, used, resume=str(elsewhere))
    (link := tmp_path / 'link.pth').symlink_to(used / 'iter_2.pth')
    run_training(tiny_config, str(used), resume=str(link))
    for path in used.glob('iter_*.pth'):
        path.unlink()
    refuse_training(monkeypatch, 'best_mIoU_iter', tiny_config, used)
    for path in used.glob('best_*.pth'):
        path.unlink()
    (used / 'public.pth').write_bytes(elsewhere.read_bytes())
    run_training(tiny_config, str(used), cfg_options={'load_from': str(used / 'public.pth')})


def test_two_runs_of_one_name_do_not_share_a_folder_of_checkpoints(
    tiny_config, tmp_path, monkeypatch
):
    store = {'default_hooks.checkpoint.out_dir': str(tmp_path / 'store')}
    seen = []

    def train(runner):
        seen.append(runner.work_dir)
        with pytest.raises(RuntimeError, match=r'store/run.*--work-dir'):
            run_training(tiny_config, str(tmp_path / 'b/run'), cfg_options=store)

    with monkeypatch.context() as patch:
        patch.setattr('mmseg_langseg.apis.command_runner.CommandRunner.train', train)
        run_training(tiny_config, str(tmp_path / 'a/run'), cfg_options=store)
    assert seen
    run_training(tiny_config, str(tmp_path / 'a/run'), cfg_options=store)
    match = r'store/run. holds checkpoints'
    refuse_training(monkeypatch, match, tiny_config, tmp_path / 'b/run', cfg_options=store)
    # The folder of checkpoints is the work folder: locked once.
    same = {'default_hooks.checkpoint.out_dir': str(tmp_path / 'c')}
    run_training(tiny_config, str(tmp_path / 'c/run'), cfg_options=same)
    assert (tmp_path / 'c/run/iter_4.pth').is_file()


@pytest.mark.parametrize('folder', ['data', 'data/images', 'data/labels/new', 'link'])
def test_nothing_is_written_into_the_data(tiny_config, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'link').symlink_to('data/images')
    before = digests(tmp_path)
    match = f"'.*{folder}' is in .*, which is read"
    for run in (run_training, run_test):
        with pytest.raises(ValueError, match=f'--work-dir {match}'):
            run(tiny_config, work_dir=folder)
    for option in ('out', 'show_dir'):
        with pytest.raises(ValueError, match=match):
            run_test(tiny_config, **{option: folder})
    # The training data alone.
    options = dict.fromkeys(('val_dataloader', 'val_evaluator', 'val_cfg'))
    with pytest.raises(ValueError, match=match):
        run_training(tiny_config, work_dir=folder, cfg_options=options)
    assert digests(tmp_path) == before


def test_data_may_be_where_everything_is(tiny_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / 'data')
    run_training(tiny_config, '.')
    assert (tmp_path / 'data/iter_4.pth').is_file()
    assert 0 <= run_test(tiny_config, work_dir='runs')['mIoU'] <= 100


@pytest.mark.parametrize('name', ['vis_image/test_0.png_1.png', 'config.py', 'notes.txt'])
def test_painted_predictions_go_over_nothing_of_another_origin(tiny_config, tmp_path, name):
    work, shown = tmp_path / 'work', tmp_path / 'shown'
    mine = shown / 'vis_data' / name
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    arguments = dict(work_dir=str(work), show_dir=str(shown), cfg_options=DRAW)
    with pytest.raises(ValueError, match=r'vis_data/.*exists.*give another folder'):
        run_test(tiny_config, **arguments)
    assert digests(shown).keys() == {mine} and mine.read_text() == 'mine'
    mine.unlink()
    (shown / 'other.txt').write_text('mine')
    if mine.parent.name == 'vis_image':
        mine.parent.rmdir()
    for _ in range(2):
        # Those of an earlier test are replaced, next to label maps if they are wanted there.
        run_test(tiny_config, out=str(shown), **arguments)
    assert len(list(shown.rglob('vis_image/*.png'))) == 5
    assert Image.open(shown / '0.png').size == (48, 40)


@pytest.mark.parametrize('name', ['table.md', 'rows.json'])
def test_a_comparison_replaces_its_own_tables_only(tmp_path, name):
    compare = load_script('tools/compare.py')
    config = str(ROOT / 'configs/pixelclip/resnet_synthetic.py')
    clip = 'embedded:clip_resnet_tiny_seed0'
    for row_name in ('clip', 'resnet_synthetic'):
        folder = tmp_path / 'seed0' / row_name
        folder.mkdir(parents=True)
        options = {
            'model.clip.pretrained': clip,
            'randomness.seed': 0,
            'test_dataloader.dataset.split': 'test',
        }
        row = dict(name=row_name, raw=1.0, centered=2.0, seconds=0.0, checkpoint=None)
        row['settings'] = settings_key(config, str(folder), options)
        (folder / 'row.json').write_text(json.dumps(row))
    arguments = [config, '--clip-seeds', '0', '--work-dir', str(tmp_path)]
    for _ in range(2):
        compare.main(arguments)
    (tmp_path / name).write_text('mine')
    with pytest.raises(FileExistsError, match=f'{name}.*nothing was written'):
        compare.main(arguments)
    assert (tmp_path / name).read_text() == 'mine'


def test_a_comparison_that_was_cut_off_goes_on(tiny_config, tmp_path, monkeypatch):
    work = tmp_path / 'work'
    monkeypatch.setattr(compare_api, 'test_both', lambda *_: ({'mIoU': 1.0}, {'mIoU': 2.0}))

    class CutOffError(Exception):
        pass

    def cut_off(*args, **options):
        run_training(*args, **options)
        (work / 'iter_4.pth').unlink()
        raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr(compare_api, 'run_training', cut_off)
        with pytest.raises(CutOffError):
            compare_trained('tiny', tiny_config, str(work))
    assert [path.name for path in work.glob('*.pth')] == ['iter_2.pth']
    # With other settings it would be another training.
    other = {'train_cfg.max_iters': 2}
    with pytest.raises(FileExistsError, match='holds checkpoints'):
        compare_trained('tiny', tiny_config, str(work), other)
    row = compare_trained('tiny', tiny_config, str(work))
    assert torch.load(row.checkpoint, weights_only=False)['meta']['iter'] == 4
    assert compare_trained('tiny', tiny_config, str(work)) == row
    # A stranger's checkpoints are never taken for those of a row that was begun.
    (work / 'row.json').unlink()
    for _ in range(2):
        with pytest.raises(FileExistsError, match='holds checkpoints'):
            compare_trained('tiny', tiny_config, str(work))


@pytest.mark.parametrize('taken', ['clip.pth', 'clip.log.jsonl'])
def test_a_new_clip_goes_over_nothing(tmp_path, monkeypatch, taken):
    monkeypatch.syspath_prepend(ROOT / 'tools/synthetic')
    train_clip = load_script('tools/synthetic/train_clip.py')
    (tmp_path / taken).write_text('mine')
    arguments = ['--out', str(tmp_path / 'clip.pth'), '--steps', '1']
    with pytest.raises(FileExistsError, match=rf'{taken}.*nothing was written'):
        train_clip.main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == [taken]
