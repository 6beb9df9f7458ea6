"""The option ``--cfg-options KEY=VALUE ...`` of the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.config import DictAction

from mmseg_langseg.fileio import show_value

BRACKETS = {'[': ']', '(': ')'}
QUOTES = ('"', "'")
_DEEPEST = 50


class CommaList(list):
    """List from a value with commas but without brackets, such as ``a,b``.

    The config decides whether the commas separate elements or belong to a string.

    Args:
        elements: Elements of the list.
        typed: The value as typed.
    """

    def __init__(self, elements: Iterable[Any] = (), typed: str = '') -> None:
        super().__init__(elements)
        self.typed = typed


def as_typed(value: Any) -> Any:
    """Return the text of a :class:`CommaList`, and any other value unchanged."""
    return value.typed if isinstance(value, CommaList) else value


class ConfigOptions(DictAction):
    """``DictAction`` that keeps class names and paths as typed.

    Values documented in MMSegmentation are parsed as there: numbers, ``True``, ``None``, strings,
    ``a,b,c``, ``[a,b]`` and ``[(a,b),(c,d)]``. MMEngine also drops every space and splits at every
    comma, which corrupts ``person; dog, puppy``. Here a string with spaces or semicolons outside
    brackets is kept whole, including its commas, and so is a quoted string. Within brackets,
    elements keep their inner spaces: ``[traffic light, dog]``. ``a,b`` is a :class:`CommaList`,
    which ``merge_options`` turns into a string where the config has one.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Add the options to those of an earlier ``--cfg-options``."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in values:
            key, equals, value = text.partition('=')
            if not equals or not key.strip():
                raise argparse.ArgumentError(
                    self,
                    f'expected KEY=VALUE, got {show_value(text)} (a value with spaces needs '
                    'quotes: "KEY=some words")',
                )
            try:
                options[key.strip()] = parse_value(value)
            except ValueError as error:
                raise argparse.ArgumentError(self, f'{key:.60}: {error}') from error
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """Parse the value of an option.

    Raises:
        ValueError: Brackets or quotes do not match, or are nested too deeply.
    """
    value = text.strip()
    if _is_quoted(value):
        inner = value[1:-1]
        return parse_value(inner) if _in_brackets(inner) else inner
    if value[:1] in BRACKETS:
        if _in_brackets(value):
            elements = _split(value[1:-1])
            return tuple(elements) if value[0] == '(' else elements
        if not _matches(value):
            raise ValueError(
                f'brackets do not match in {show_value(text)}; put a string into quotes'
            )
    number = _scalar(value)
    if not isinstance(number, str):
        return number
    if ',' not in text:
        return text
    if any(character.isspace() for character in value) or ';' in value:
        elements = [_scalar(part.strip()) for part in value.split(',')]
        text_among = any(isinstance(element, str) for element in elements)
        return text if text_among else CommaList(elements, text)
    return CommaList(_split(value), text)


def _scalar(text: str) -> Any:
    return DictAction._parse_int_float_bool(text)


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in QUOTES and text.find(text[0], 1) == len(text) - 1


def _in_brackets(text: str) -> bool:
    """Whether one pair of brackets encloses the whole text."""
    return text[:1] in BRACKETS and _closing(text) == len(text) - 1


def _matches(text: str) -> bool:
    """Whether all brackets of a text match."""
    while text:
        if text[0] in BRACKETS:
            end = _closing(text)
            if end is None:
                return False
            text = text[end:]
        elif text[0] in BRACKETS.values():
            return False
        text = text[1:]
    return True


def _closing(text: str) -> int | None:
    """Return the index of the bracket that closes the first one, or None."""
    awaited: list[str] = []
    quote = None
    for index, character in enumerate(text):
        if quote is not None:
            quote = None if character == quote else quote
        elif character in QUOTES and text[:index].rstrip()[-1:] in ('[', '(', ','):
            quote = character
        elif character in BRACKETS:
            awaited.append(BRACKETS[character])
            if len(awaited) > _DEEPEST:
                raise ValueError(f'brackets are nested too deeply in {show_value(text)}')
        elif character in BRACKETS.values():
            if awaited.pop() != character:
                return None
            if not awaited:
                return index
    return None


def _split(text: str) -> list:
    """Parse a comma-separated list; commas in brackets and quotes do not separate."""
    elements = []
    rest = text.strip()
    while rest:
        end = _element_end(rest)
        elements.append(_element(rest[:end].strip()))
        rest = rest[end + 1 :].strip()
    return elements


def _element_end(text: str) -> int:
    start = 0
    if text[0] in QUOTES and text[0] in text[1:]:
        start = text.index(text[0], 1)
    elif text[0] in BRACKETS:
        closing = _closing(text)
        if closing is None:
            raise ValueError(f'brackets do not match in {show_value(text)}')
        start = closing
    comma = text.find(',', start)
    return len(text) if comma < 0 else comma


def _element(text: str) -> Any:
    if _in_brackets(text):
        return parse_value(text)
    return text[1:-1] if _is_quoted(text) else _scalar(text)
