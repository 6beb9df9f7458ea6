"""Hypothesis strategies for hostile documents: valid ones with a few harmful changes."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.target import OUTSIDE

HOSTILE_NAMES = (
    '',
    '.',
    '..',
    '../x.jpg',
    '../../x.jpg',
    f'{OUTSIDE}/x.jpg',
    'a/../../x.jpg',
    'a\0b.jpg',
    'a\\..\\x.jpg',
    'C:/x.jpg',
    '\ud800.jpg',
    'n' * 300 + '.jpg',
    'a/' * 200 + 'x.jpg',
    '\ufeffx.jpg',
    'x.jpg/',
)
HOSTILE_NUMBERS = (
    *(0, -1, 1, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64, 10**25, 10**400),
    *(0.5, -0.0, 1e9, -1e9, 1e30, 1e308, float('nan'), float('inf'), float('-inf')),
)


def mixed(*strategies: st.SearchStrategy) -> st.SearchStrategy:
    """Draw from one of the strategies; one that is given twice is drawn twice as often."""
    return st.sampled_from(strategies).flatmap(lambda strategy: strategy)


def hostile_values() -> st.SearchStrategy:
    """Draw values of unexpected types, sizes and contents."""
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from(HOSTILE_NUMBERS),
        st.sampled_from(HOSTILE_NAMES),
        st.integers(),
        st.text(max_size=10),
    )
    return st.one_of(
        plain,
        st.lists(plain, max_size=4),
        st.dictionaries(st.text(max_size=5), plain, max_size=3),
        st.just(_nested(50)),
    )


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy, special: st.SearchStrategy) -> Any:
    """Draw a valid document with up to four values changed, removed or duplicated.

    Args:
        draw: Passed by Hypothesis.
        documents: Valid JSON values.
        special: Hostile values for this kind of document, in addition to the general ones.
    """
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(('replace', 'replace', 'special', 'remove', 'double')))
        if change == 'remove':
            del holder[key]
        elif change == 'double' and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = draw(special if change == 'special' else hostile_values())
    return document


@st.composite
def mutated_json(
    draw: st.DrawFn, documents: st.SearchStrategy, special: st.SearchStrategy
) -> bytes:
    """Draw the content of a JSON file, mostly well-formed."""
    text = json.dumps(draw(mutated(documents, special)))
    kind = draw(st.sampled_from(('plain',) * 7 + ('mark', 'nest', 'encode', 'bytes', 'twice')))
    if kind == 'mark':
        text = '\ufeff' + text
    elif kind == 'nest':
        depth = draw(st.sampled_from((500, 990, 100_000)))
        text = text.replace('1', '[' * depth + '1' + ']' * depth, 1)
    elif kind == 'twice' and text.startswith('{"'):
        text = text[:-1] + ', ' + text[1:]
    elif kind == 'encode':
        return text.encode(draw(st.sampled_from(('utf-16', 'utf-32', 'cp500'))))
    content = text.encode()
    return draw(mutated_bytes(st.just(content))) if kind == 'bytes' else content


@st.composite
def mutated_bytes(draw: st.DrawFn, contents: st.SearchStrategy) -> bytes:
    """Draw file content that is truncated, or has a few bytes changed, removed or inserted."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        change = draw(st.sampled_from(('flip', 'flip', 'insert', 'remove', 'cut')))
        if change == 'insert':
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif change == 'remove':
            del content[place : place + draw(st.integers(1, 16))]
        elif change == 'cut':
            del content[place:]
        elif content:
            content[place] ^= draw(st.integers(1, 255))
    return bytes(content)


def _places(document: Any) -> Any:
    """Yield the place of every value: (list or dict, index or key)."""
    entries = ()
    if isinstance(document, dict):
        entries = list(document.items())
    elif isinstance(document, list):
        entries = list(enumerate(document))
    for key, value in entries:
        yield document, key
        yield from _places(value)


def _nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value
