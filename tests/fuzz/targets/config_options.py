"""Fuzz target: KEY=VALUE options, parsed and merged into a config."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hypothesis import strategies as st
from mmengine.config import Config

from mmseg_langseg.apis.config_file import merge_options
from mmseg_langseg.apis.config_options import ConfigOptions
from tests.fuzz.strategies import HOSTILE_NUMBERS, mixed
from tests.fuzz.target import Target

KEYS = ('model', 'type', 'backbone', 'depth', 'list', '0', '1', '-1', '7', 'word', 'none', 'new')
HOSTILE_KEYS = ('', ' ', '_delete_', '__class__', 'bakcbone', '²', '9' * 5000, 'a' * 10**5, '\0')
ATOMS = ('1', 'a', "'", '"', '[', ']', '(', ')', ',', ' ', ';', '=', 'None', 'True', '1e999', '\\')
HOSTILE_TEXTS = (
    *('[' * 100_000, '[]' * 30_000, '[' * 500 + ']' * 500, '(' * 40_000 + ')' * 40_000),
    *('1' * 5000, '-' * 9, '1_0', '٣', ',' * 50_000, '["' * 20_000, "'" * 50_000, '\ud800', 'x\0'),
    *('[1,2', '(a,b]', "'a, b", '{a: 1}', '_delete_', '${x}', '{{ fileDirname }}', '%(x)s', ']['),
    *(str(number) for number in HOSTILE_NUMBERS if number != 10**400),
)


def values() -> st.SearchStrategy:
    """Draw well-formed and malformed values as a user might type them."""
    return mixed(
        st.lists(st.sampled_from(ATOMS), max_size=12).map(''.join),
        st.sampled_from(('3', '0.5', 'cat; dog, puppy', '[1,2]', '(a,b)', '[(1,2),(3,4)]', "'x'")),
        st.sampled_from(HOSTILE_TEXTS),
        st.text(max_size=12),
    )


@st.composite
def options(draw: st.DrawFn) -> str:
    """Draw one option."""
    keys = st.sampled_from(KEYS)
    key = mixed(*(keys,) * 9, st.sampled_from(HOSTILE_KEYS))
    parts = draw(st.lists(key, min_size=1, max_size=4))
    equals = draw(st.sampled_from(('=',) * 9 + ('', '==', ' = ')))
    return '.'.join(parts) + equals + draw(values())


def prepare(case: list[str], inputs: Path) -> None:
    (inputs / 'options.json').write_text(json.dumps(case))


def run(inputs: Path, out: Path) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='*', action=ConfigOptions)
    texts = json.loads((inputs / 'options.json').read_text())
    # On a command line, a text that starts with a dash is another option.
    texts = [text for text in texts if not text.startswith('-')]
    try:
        found = parser.parse_args(['--cfg-options', *texts]).cfg_options or {}
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from error
    model = dict(type='M', backbone=dict(type='B', depth=3))
    merge_options(Config(dict(model=model, list=[dict(a=1), 2], word='x', none=None)), found)


TARGET = Target(st.lists(options(), max_size=3), prepare, run, (ValueError,), ('option',))
