"""Config options: keys that do not exist in the config are reported."""

import warnings

import pytest
from mmengine.config import Config

from mmseg_langseg.apis.config_file import merge_options, read_config
from mmseg_langseg.apis.config_options import parse_value
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.scripts import ROOT


@pytest.fixture
def cfg():
    return Config(
        dict(
            model=dict(type='A', backbone=dict(type='B', depth=1), teacher=None),
            param_scheduler=[dict(type='S', end=10)],
            train_dataloader=dict(
                batch_size=1, dataset=dict(type='D', data_prefix=dict(img_path='a'))
            ),
            val_dataloader=dict(batch_size=1),
        )
    )


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('model.bakcbone.depth', "no 'bakcbone'. Did you mean 'backbone'"),
        ('modle.type', "no 'modle'. Did you mean 'model'"),
        ('train_dataloder.batch_size', "Did you mean 'train_dataloader'"),
        ('param_scheduler.1.end', "'1' is not an index into a list of 1"),
        ('param_scheduler.end', "'end' is not an index"),
        ('param_scheduler.x.end', "'x' is not an index"),
        ('model.backbone.depth.x', 'model.backbone.depth is 1 and has no keys'),
        ('model.backbone.depth.x.y', 'model.backbone.depth, which is 1'),
        ('model.teacher.type', 'leads through model.teacher, which is None'),
    ],
)
def test_keys_that_lead_nowhere_are_refused(cfg, key, message):
    before = cfg.pretty_text
    with pytest.raises(ValueError) as error:
        merge_options(cfg, {key: 1})
    assert key in str(error.value) and message in str(error.value)
    assert cfg.pretty_text == before


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model': '', 'model.type': 1}, 'model replaces what the option model.type changes'),
        ({'model.backbone.depth': 1, 'model': 3}, 'model replaces .* model.backbone.depth'),
        ({'param_scheduler.0': 3}, r'0 would replace an element.*param_scheduler\.0\.KEY=VALUE'),
        ({'0': 1}, "The option 0: '0' cannot be a key of a config"),
        ({'model.backbone.class': 1}, "'class' cannot be a key of a config"),
        ({f'param_scheduler.{"9" * 5000}.end': 3}, 'not an index into a list of 1'),
    ],
)
def test_options_that_mmengine_cannot_merge_are_refused(cfg, options, message):
    with pytest.raises(ValueError, match=message) as error:
        merge_options(cfg, options)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('train_batch_size', 'It may have no effect'),
        ('modle', "Did you mean 'model'"),
        ('load_frm', "Did you mean 'load_from'"),
        ('train_dataloader.batchsize', "Did you mean 'batch_size'"),
        ('train_dataloader.dataset.data_prefix.image_path', "Did you mean 'img_path'"),
    ],
)
def test_typos_that_nothing_would_refuse_are_warned_about(cfg, key, message):
    with pytest.warns(UserWarning, match=f'{key} adds .*{message}'):
        merge_options(cfg, {key: 1})


@pytest.mark.parametrize(
    'key',
    [
        *('load_from', 'test_dataloader.dataset.type', 'custom_hooks', 'model.backbone.drop_path'),
        *('model.neck.type', 'train_dataloader.num_workers', 'param_scheduler.0.begin'),
        *('train_dataloader.dataset.data_prefix.mask_path', 'model.backbone._delete_'),
        *('model.backbone.depth', 'randomness.seed', 'work_dir'),
    ],
)
def test_new_keys_that_are_read_pass_in_silence(cfg, key):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        merge_options(cfg, {key: 1})
    node = cfg
    for part in key.replace('model.backbone._delete_', 'model').split('.'):
        node = node[int(part)] if isinstance(node, list) else node[part]


@pytest.fixture
def words():
    part = dict(type='C', names=['a'], data_root='old', mean=[0, 0], root=None)
    return Config(dict(model=dict(type='A', decode_head=part), test_evaluator=dict(known=['a'])))


@pytest.mark.parametrize(
    ('key', 'typed', 'expected'),
    [
        ('model.decode_head.data_root', '/tmp/comma,dir', '/tmp/comma,dir'),
        ('model.decode_head.data_root', '1,2', '1,2'),
        ('model.decode_head.data_root', '[a,b]', ['a', 'b']),
        ('model.decode_head.mean', '1,2', [1, 2]),
        ('model.decode_head.root', 'a,b', ['a', 'b']),
        ('model.decode_head.new', 'a,b', ['a', 'b']),
        ('model.decode_head.type', 'a,b', 'a,b'),
        ('load_from', '/a,b.pth', '/a,b.pth'),
        ('work_dir', 'a,b', 'a,b'),
        ('test_evaluator.known', 'a,b', ['a', 'b']),
        ('model.decode_head.vocabulary', 'sky,ground,1;x', 'sky,ground,1;x'),
        ('model.decode_head.vocabulary', '[sky,grass]', ['sky', 'grass']),
    ],
)
def test_a_comma_separates_only_where_the_config_has_no_string(words, key, typed, expected):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        merge_options(words, {key: parse_value(typed)})
    node = words
    for part in key.split('.'):
        node = node[part]
    assert node == expected and type(node) is type(expected)


def test_an_element_of_a_list_of_parts_keeps_its_string(cfg):
    merge_options(cfg, {'param_scheduler.0.type': parse_value('a,b')})
    assert cfg.param_scheduler[0].type == 'a,b'


@pytest.mark.parametrize('name', ['vocabulary', 'known', 'names'])
def test_words_mean_the_same_with_and_without_blanks(words, name):
    read = []
    for typed in ('sky,grass', 'sky, grass'):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            merge_options(words, {f'model.decode_head.{name}': parse_value(typed)})
        # A vocabulary of one class is refused by the model.
        assert len(caught) == (name != 'vocabulary')
        assert all('and semicolons separate classes' in str(w.message) for w in caught)
        read.append(Vocabulary.parse(words.model.decode_head[name]))
    assert read[0] == read[1] == Vocabulary.parse(['sky, grass'])


def test_a_list_element_is_replaced(cfg):
    merge_options(cfg, {'param_scheduler.0.end': 5})
    assert cfg.param_scheduler[0].end == 5


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.py', 'x = (', r"a\.py' cannot be read: .*line 1"),
        ('a.py', '\nx = y', r"a\.py' cannot be read: NameError.*'y'"),
        ('a.py', 'raise SystemExit(3)', r"a\.py' cannot be read: SystemExit: 3"),
        (
            'a.py',
            'custom_imports = dict(imports=["not_there"], allow_failed_imports=False)',
            r"a\.py' cannot be read: Failed to import not_there: No module .* into PYTHONPATH\.$",
        ),
        ('a.py', b'\0\xff', r"a\.py' cannot be read"),
        ('a.json', '{', r"a\.json' cannot be read"),
        ('a.txt', 'x = 1', r"a\.txt' has the suffix '.txt'"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_config(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.py. does not exist'):
        read_config(tmp_path / 'gone.py')
    with pytest.raises(FileNotFoundError, match='is a folder'):
        read_config(tmp_path)
    assert read_config(ROOT / 'configs' / 'clips4' / 'r50_voc.py').model.type == 'CLIPS4'
