"""The ablations of tools/ablations.py are those of the docs, with the paper's numbers."""

import copy
import re

from mmengine.config import Config

from mmseg_langseg.apis.ablation_study import AblationStudy
from mmseg_langseg.apis.launch import load_config
from tests.scripts import load_script
from tests.test_docs import PAGE, ROOT, option_lines, parse

TOOL = load_script('tools/ablations.py')
STUDY = AblationStudy.read(ROOT / 'configs' / TOOL.TABLES, TOOL.CONFIG)
RESULTS = ROOT / 'docs' / 'ablations_synthetic.md'
# Their values depend on the size of the dataset.
SCALED = ('num_clusters', 'length', 'names', 'momentum')


def sections():
    """Return the sections of the page by the tables in their headings, such as ('3b', '3c')."""
    parts = re.split(r'^## (.*)\n', PAGE.read_text(encoding='utf-8'), flags=re.M)[1:]
    named = (
        (re.findall(r'\b\d[a-d]?\b', head), text)
        for head, text in zip(parts[::2], parts[1::2], strict=True)
    )
    return {tuple(tables): text for tables, text in named if set(tables) & set(STUDY.tables)}


def numbers(text):
    """Return the last five cells of all rows of Markdown tables that end with numbers."""
    rows = [line.strip('| ').split(' | ')[-5:] for line in text.splitlines() if line[:1] == '|']
    return {tuple(map(float, row)) for row in rows if re.fullmatch(r'[\d. ]+', ' '.join(row))}


def test_the_papers_numbers_are_those_of_the_page():
    ours = {name: {tuple(row['paper']) for row in table['rows'] if 'paper' in row}
            for name, table in STUDY.tables.items()}  # fmt: skip
    assert set(sum(sections(), ())) - {'1'} == set(ours)
    assert set.union(*ours.values()) <= numbers(PAGE.read_text(encoding='utf-8'))
    for names, text in sections().items():
        if '1' not in names:  # a table of methods
            assert numbers(text) <= set.union(*(ours[name] for name in names)), names


def leaves(value, path=''):
    if isinstance(value, dict) and value:
        return {k: v for key in value for k, v in leaves(value[key], f'{path}.{key}').items()}
    return {path: value}


def changes(before, after):
    """Return the keys and values of a config that another one lacks."""
    before, after = leaves(before.to_dict()), leaves(after.to_dict())
    found = {
        key: value for key, value in after.items() if key not in before or before[key] != value
    }
    # Not the templates of the test, and no variable of the config file.
    for key in ('.model.decode_head.templates', '.names'):
        found.pop(key, None)
    for key, value in found.items():
        if key.endswith(SCALED) and value not in (None, 1.0):
            found[key] = 'scaled'
    return found


def with_options(base, options):
    cfg = base.copy()
    cfg.merge_from_dict(copy.deepcopy(options))
    return changes(base, cfg)


def test_the_ablations_are_those_of_the_page():
    base = load_config(STUDY.config, 'work')
    ours = {}
    for name, run in STUDY.runs.items():
        if 'config' in run:
            ours[name] = changes(base, load_config(run['config'], 'work'))
        elif 'weights_of' not in run and name != 'clip':
            ours[name] = with_options(base, run.get('options', {}))
    assert ours.pop('resnet_synthetic') == {}
    # The masks of rendered scenes; the page has folders.
    assert list(ours.pop('exact-masks')) == ['.train_dataloader.dataset.pipeline']
    paper = Config.fromfile(ROOT / 'configs/pixelclip/convnext-b_sa1b.py')
    text = ''.join(text for names, text in sections().items() if '6b' not in names)
    lines = [line for line in option_lines() if line in text.splitlines()]
    theirs = [with_options(paper, parse(line)[1]) for line in lines]
    assert len(lines) >= 15
    for line, changed in zip(lines, theirs, strict=True):
        assert changed in ours.values(), line
    for name, changed in ours.items():
        assert changed and changed in theirs, name


def test_every_run_is_in_a_table_and_is_done_after_the_one_it_tests():
    runs = list(STUDY.runs)
    assert STUDY.runs_of(STUDY.tables) == runs
    assert STUDY.runs_of(['6b']) == ['resnet_synthetic', 'exact-masks']
    for name, run in STUDY.runs.items():
        assert runs.index(run.get('weights_of', name)) <= runs.index(name)


def test_the_results_have_the_rows_of_the_tables():
    def rows(text):
        split = [line.split(' | ') for line in text.splitlines() if line[:1] in ('|', '#')]
        return [[cells[0], *cells[3:]] for cells in split]

    page = RESULTS.read_text(encoding='utf-8')
    expected = rows(TOOL.markdown(STUDY, list(STUDY.tables), {0: {}}))
    found = rows(page)
    start = found.index(expected[0])
    assert found[start : start + len(expected)] == expected
