"""The read-outs of the bundled vision transformer in one table, and the table in the docs."""

import re
import shlex

from mmseg_langseg.apis.evaluation_run import EvaluatedModel, evaluate_all
from mmseg_langseg.apis.evaluation_table import markdown_table
from mmseg_langseg.models.backbones.readouts import READOUTS
from tests.configs import load
from tests.scripts import ROOT

PAGE = ROOT / 'docs' / 'comparison.md'
QUICK = {'log_level': 'ERROR', 'test_dataloader.dataset.num_scenes': 40}


def command() -> list[str]:
    """Return the arguments of the command that made the table of the page."""
    blocks = re.findall(r'```bash\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.S)
    (line,) = [line for block in blocks for line in block.splitlines() if 'eval_all.py' in line]
    return shlex.split(line)


def models() -> list[EvaluatedModel]:
    arguments = command()
    first, last = arguments.index('--models') + 1, arguments.index('--benchmarks')
    return [EvaluatedModel.parse(text) for text in arguments[first:last]]


def test_centered_logits_are_a_benchmark(tmp_path):
    found = {}
    for benchmark, options in (('synthetic', {}), ('synthetic_centered', {'num_images': 32})):
        hook = {f'custom_hooks.1.{key}': value for key, value in options.items()}
        model = [EvaluatedModel.parse('sclip/vit_synthetic.py')]
        (found[benchmark],) = evaluate_all(
            model, [benchmark], tmp_path, None, {**QUICK, **hook}, say=lambda line: None
        )
    plain, centered = (record['metrics']['mIoU'] for record in found.values())
    assert plain != centered and min(plain, centered) > 100 / 17 / 2
    assert {record['num_classes'] for record in found.values()} == {17}
    assert found['synthetic']['settings'] != found['synthetic_centered']['settings']


def test_every_read_out_is_in_the_command_of_the_page():
    used = set()
    for model in models():
        backbone = load(f'{model.config}.py').model.backbone
        if backbone.type == 'CLIPVisionTransformer':
            readout = backbone.get('readout', 'value_cls')
            used.add(readout if isinstance(readout, str) else readout['type'])
    assert used == set(READOUTS.module_dict)


def test_the_table_of_the_page_has_the_form_of_the_tool():
    text = PAGE.read_text(encoding='utf-8')
    columns = markdown_table([]).split('\n\n')[1].strip()
    assert text.count(columns) == 1
    table = text.partition(columns)[2].strip().partition('\n\n')[0]
    rows = [line.strip('| ').split(' | ') for line in table.splitlines()]
    assert {len(row) for row in rows} == {columns.splitlines()[0].count(' | ') + 1}
    benchmarks = ('synthetic', 'synthetic_centered')
    assert [(*row[:2],) for row in rows] == [(m.name, b) for m in models() for b in benchmarks]
    # The first table repeats their mIoU.
    for raw, centered in zip(rows[::2], rows[1::2], strict=True):
        assert f'| {raw[0]} | {raw[3]} | {centered[3]} |' in text
