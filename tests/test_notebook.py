"""The notebook runs from top to bottom and prints what is stored in it."""

import contextlib
import io
import json

import pytest

from tests.scripts import ROOT

NOTEBOOK = ROOT / 'demo' / 'segment_by_names.ipynb'


@pytest.fixture(scope='module')
def cells():
    return json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']


def test_notebook_runs(cells, tmp_path, monkeypatch):
    """In this process; the build of the docs runs it in Jupyter."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in cells:
        if cell['cell_type'] == 'code':
            stored = [out for out in cell['outputs'] if out['output_type'] == 'stream']
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(''.join(cell['source']), names)
            assert printed.getvalue() == ''.join(line for out in stored for line in out['text'])
    assert (tmp_path / 'results' / 'coco.json').is_file()


def test_stored_outputs_are_small_and_without_errors(cells):
    assert NOTEBOOK.stat().st_size < 300_000
    code = [cell for cell in cells if cell['cell_type'] == 'code']
    assert [cell['execution_count'] for cell in code] == list(range(1, len(code) + 1))
    outputs = [out for cell in code for out in cell['outputs']]
    assert sum('image/jpeg' in out.get('data', ()) for out in outputs) >= 4
    assert not any(out['output_type'] == 'error' or out.get('name') == 'stderr' for out in outputs)
