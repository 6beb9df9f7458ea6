"""Strict parsing of untrusted JSON, with errors that name the file."""

from __future__ import annotations

import json
from typing import Any


def parse_json(content: str | bytes, source: object, allow_nan: bool = False) -> Any:
    """Parse untrusted JSON strictly.

    A byte-order mark is accepted. Python's extensions of the standard are not: NaN and infinities
    (by default), and duplicate keys in an object.

    Args:
        content: Text, or its UTF-8 bytes.
        source: Origin for error messages, such as the file.
        allow_nan: Accept NaN and infinities, because each number is checked where it is used.

    Returns:
        The parsed value.

    Raises:
        ValueError: The content is not JSON, or is nested too deeply; starts with ``source``.
    """
    try:
        text = content.decode('utf-8-sig') if isinstance(content, bytes) else content
        return json.loads(
            text.removeprefix('\ufeff'),
            parse_constant=None if allow_nan else _refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except RecursionError:
        # The parser's own traceback has a thousand frames.
        raise ValueError(f'{source} is not valid JSON (brackets are nested too deeply)') from None
    except ValueError as error:
        raise ValueError(f'{source} is not valid JSON, perhaps truncated ({error})') from error


def show_value(value: Any, length: int = 60) -> str:
    """Format an untrusted value as a short text for error messages."""
    # Python refuses to print integers with thousands of digits.
    if isinstance(value, int) and value.bit_length() > 200:
        return f'an integer of {value.bit_length()} bits'
    try:
        return f'{value!r:.{length}}'
    except (ValueError, RecursionError):
        return f'a {type(value).__name__}'


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a JSON number')


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f'the key {twice!r:.60} occurs twice in an object')
    return found
