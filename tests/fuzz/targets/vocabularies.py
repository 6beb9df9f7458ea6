"""Fuzz target: vocabularies (strings, lists, JSON files), parsed and embedded by a tiny model."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from mmengine.registry import init_default_scope

from mmseg_langseg.models.text_encoders import Vocabulary
from tests.fuzz.strategies import hostile_values, mixed, mutated_json
from tests.fuzz.target import Target
from tests.tiny import pixelclip

WORDS = (
    'cat',
    'dog',
    'traffic light',
    'Straße',
    '猫',
    'background',
    'Cat',
    '🧑\u200d🚀',
    "o'clock",
)
HOSTILE_WORDS = (
    *('', ' ', ',', ',' * 5000, ';' * 5000, 'a' * 10**5, 'a ' * 10**4, 'x\0y', '\ufeffcat'),
    *('\ud800', '\x1b[31m', '\u202eabc', '<end_of_text>', '<|ENDOFTEXT|>', '&lt;end_of_text&gt;'),
    *('&amp;' * 3000, '&#0;', '&#xd800;', '&#1114112;', '{}', '%s', '{0.__class__}', '\u0300' * 99),
    *('../../etc/passwd', 'gone.json', '/dev/null', '\x85', '\u2028', 'ﬃ', 'İ', '☃' * 500),
)


def words() -> st.SearchStrategy:
    """Draw a class name: plain, hostile, or any text."""
    plain = st.sampled_from(WORDS)
    return mixed(*(plain,) * 19, st.sampled_from(HOSTILE_WORDS), st.text(max_size=8))


@st.composite
def strings(draw: st.DrawFn) -> str:
    """Draw class names joined in one string."""
    entries = draw(st.lists(words(), min_size=1, max_size=6, unique=True))
    text = ''.join(word + draw(st.sampled_from(('; ', ';', '; ', ', '))) for word in entries)
    return text * draw(st.sampled_from((1,) * 9 + (2000,)))


@st.composite
def documents(draw: st.DrawFn) -> dict:
    """Draw valid vocabulary files."""
    count = draw(st.sampled_from((2, 5, 5, 5, 20_000)))
    names = list(WORDS[:count]) if count < 10 else [f'class {i}' for i in range(count)]
    return dict(classes=names) | draw(
        st.sampled_from(({}, dict(background=['sky, air', 'grass']), dict(source='me')))
    )


def prepare(case: tuple[str, Any], inputs: Path) -> None:
    kind, value = case
    if kind == 'json':
        (inputs / 'x.json').write_bytes(value)
        value = inputs / 'x.json'
    (inputs / 'case.pkl').write_bytes(pickle.dumps((kind, value)))


def run(inputs: Path, out: Path) -> None:
    kind, value = pickle.loads((inputs / 'case.pkl').read_bytes())
    read = dict(string=Vocabulary.from_string, names=Vocabulary.from_names)
    vocabulary = read.get(kind, Vocabulary.parse)(value)
    flat = [word for row in vocabulary.rows for word in row]
    assert all(word == ' '.join(word.split()) for word in flat), 'a word with loose blanks'
    assert len({word.lower() for word in flat}) == len(flat), 'a word twice'
    assert Vocabulary.parse(vocabulary) is vocabulary
    if len(flat) < 20:
        head = model().decode_head
        head.set_vocabulary(vocabulary)
        assert head.text_rows.isfinite().all(), 'an embedding that is no number'
        assert len(head.text_rows) == len(vocabulary.rows)


@functools.cache
def model() -> Any:
    """Return the model that the vocabularies are set on."""
    init_default_scope('mmseg')
    return pixelclip()


CASES = st.one_of(
    st.tuples(st.just('string'), strings()),
    st.tuples(st.just('names'), st.lists(words(), max_size=6, unique=True)),
    st.tuples(st.just('any'), hostile_values() | strings() | st.lists(hostile_values())),
    st.tuples(st.just('json'), mutated_json(documents(), words())),
)
TARGET = Target(
    CASES,
    prepare,
    run,
    (ValueError, TypeError, FileNotFoundError),
    ('ocabulary', 'The word', 'names='),
)
