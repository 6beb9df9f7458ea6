"""Read config files and override their keys, with errors that name the file and the key."""

from __future__ import annotations

import inspect
import keyword
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_langseg.fileio import LangSegWarning, show_value

from .config_options import CommaList, as_typed
from .resources import find_config, similar_configs
from .words import KNOWN_KEYS

SUFFIXES = ('.py', '.yml', '.yaml', '.json')
RUNNER_KEYS = tuple(inspect.signature(Runner.__init__).parameters)[1:]
WORD_KEYS = ('vocabulary', *KNOWN_KEYS)
"""Arguments of a model's parts that read words as ``--texts`` does."""
SIMILAR = 0.8
# Strings that most configs leave out.
_TEXT_KEYS = ('load_from', 'work_dir')
_MOST_DIGITS = 20


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Args:
        path: Config file, or the name of a config of this package, e.g.
            ``pixelclip/vit-b16_coco``; see :func:`~mmseg_langseg.apis.resources.find_config`.

    Raises:
        FileNotFoundError: There is no such file; the message names similar configs.
        ValueError: The file is not a config or fails to run; the message names file and line.
    """
    found = find_config(path)
    if found is None:
        kind = 'is a folder, not a config file' if Path(path).is_dir() else 'does not exist'
        near = similar_configs(path)
        hint = f' Did you mean {" or ".join(near)}?' if near else ''
        raise FileNotFoundError(f'Config file {str(path)!r} {kind}.{hint}')
    path = found
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f'Config file {str(path)!r} has the suffix {path.suffix!r}, expected one of '
            f'{", ".join(SUFFIXES)}.'
        )
    try:
        return Config.fromfile(path)
    except (Exception, SystemExit) as error:  # a config is a program and may raise anything
        raise ValueError(f'Config file {str(path)!r} cannot be read: {_reason(error)}') from error


def _reason(error: BaseException) -> str:
    if isinstance(error, ImportError) and error.__cause__ is not None:
        error = error.__cause__  # MMEngine adds the whole of sys.path
        if isinstance(error.__context__, ImportError):  # why a custom import failed
            reason = f'{error}: {error.__context__}'
            return f'{reason}. To import a file of your own, put its folder into PYTHONPATH.'
    if isinstance(error, SyntaxError):
        return f'{error.msg}, line {error.lineno}.'
    return f'{type(error).__name__}: {error}'


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Override keys of a config, in place.

    New keys are allowed, as a config need not repeat defaults; a component rejects unknown
    arguments when it is built. Keys that nothing would read or reject cause a warning. A value
    ``a,b`` of the command line is a string where the config has a string, as a path may contain
    commas, and for class names, whose commas separate synonyms; elsewhere it is a list.

    Args:
        cfg: The config.
        options: Dotted keys and values, e.g. ``{'param_scheduler.0.end': 100}``.

    Raises:
        ValueError: A key leads through a value that has no keys, is beyond the end of a list, or
            is misspelled; or one option contains another.
    """
    for key in options:
        _check_names(key)
        _check_alone(options, key)
        _check_path(cfg, key, options[key])
    # A copy, as MMEngine removes _delete_ from it; all at once, as options may need earlier ones.
    cfg.merge_from_dict({key: _settle(cfg, key, value) for key, value in options.items()})


def _settle(cfg: Config, key: str, value: Any) -> Any:
    """Decide whether the commas of a value separate list elements."""
    name = key.rpartition('.')[2]
    if key.startswith('model.') and name in WORD_KEYS:
        value = as_typed(value)
        # A single class is an error in a vocabulary, but not as a known class.
        if name in KNOWN_KEYS and isinstance(value, str) and ',' in value and ';' not in value:
            warnings.warn(
                f'The option {_short_key(key)}={show_value(value)} is one class with synonyms: '
                'commas separate synonyms, and semicolons separate classes.',
                LangSegWarning,
                stacklevel=4,
            )
    if not isinstance(value, CommaList):
        return value
    text = key in _TEXT_KEYS or isinstance(_present(cfg, key), str)
    return value.typed if text else list(value)


def _present(cfg: Config, key: str) -> Any:
    """Return the value of a dotted key in a config, None if there is none."""
    node: Any = cfg._cfg_dict
    for part in key.split('.'):
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, Sequence) and not isinstance(node, str):
            node = node[int(part)]
    return node


def _check_names(key: str) -> None:
    # MMEngine writes the config into the work folder, as a Python file.
    parts = key.split('.')
    wrong = [part for part in parts if keyword.iskeyword(part)]
    wrong += [part for part in parts[:1] if not part.isidentifier()]
    if wrong:
        raise ValueError(
            f'The option {_short_key(key)}: {show_value(wrong[0])} cannot be a key of a config; '
            'expected a name of letters, digits and underscores that is not a Python keyword.'
        )


def _check_alone(options: Mapping[str, Any], key: str) -> None:
    parents = key.split('.')[:-1]
    for depth in range(1, len(parents) + 1):
        parent = '.'.join(parents[:depth])
        if parent in options:
            raise ValueError(
                f'The option {_short_key(parent)} replaces what the option {_short_key(key)} '
                'changes: give only one of them.'
            )


def _check_path(cfg: Config, key: str, value: Any) -> None:
    *parents, last = key.split('.')
    key = _short_key(key)
    node: Any = cfg._cfg_dict
    for depth, part in enumerate(parents):
        here = _short_key('.'.join(parents[: depth + 1]))
        where = _short_key('.'.join(parents[:depth]))
        if isinstance(node, Sequence) and not isinstance(node, str):
            node = node[_index(part, node, key)]
        elif not isinstance(node, Mapping):
            raise ValueError(
                f'The option {key} leads through {where}, which is {_short(node)} in the config '
                f'and has no keys. To replace it, add {where}._delete_=True.'
            )
        elif part in node:
            node = node[part]
        else:
            _check_new_parent(node, part, key, top=not depth)
            return
        if node is None:
            raise ValueError(f'The option {key} leads through {here}, which is None in the config.')
    if isinstance(node, Sequence) and not isinstance(node, str):
        element = node[_index(last, node, key)]
        if not (isinstance(element, Mapping) and isinstance(value, Mapping)):
            raise ValueError(
                f'The option {key} would replace an element of a list, which MMEngine cannot do: '
                f'set keys of the element ({key}.KEY=VALUE), or give the whole list.'
            )
    elif not isinstance(node, Mapping):
        where = _short_key('.'.join(parents))
        raise ValueError(f'The option {key}: {where} is {_short(node)} and has no keys.')
    elif last not in node and last != '_delete_':
        _warn_new_key(node, last, key, top=not parents)


def _index(part: str, node: Sequence, key: str) -> int:
    # Python refuses to parse numbers with thousands of digits.
    if not part.isdecimal() or len(part) > _MOST_DIGITS or int(part) >= len(node):
        raise ValueError(
            f'The option {key}: {show_value(part)} is not an index into a list of {len(node)}; '
            f'expected 0 to {len(node) - 1}.'
        )
    return int(part)


def _check_new_parent(node: Mapping, part: str, key: str, top: bool) -> None:
    near = get_close_matches(part, list(node), 1, SIMILAR)
    if near and not (top and part in RUNNER_KEYS):
        raise ValueError(
            f'The option {key} does not match the config: there is no {show_value(part)}. Did '
            f'you mean {near[0]!r}?'
        )
    _warn_new_key(node, part, key, top)


def _warn_new_key(node: Mapping, part: str, key: str, top: bool) -> None:
    """Warn about a possible typo; a component with a type checks its keys itself."""
    if 'type' in node or (top and part in RUNNER_KEYS):
        return
    near = get_close_matches(part, [*node, *(RUNNER_KEYS if top else ())], 1, SIMILAR)
    if near or top:
        hint = f' Did you mean {near[0]!r}?' if near else ' It may have no effect.'
        warnings.warn(
            f'The option {key} adds {show_value(part)} to the config.{hint}',
            LangSegWarning,
            stacklevel=4,
        )


def _short(value: Any) -> str:
    return _short_key(repr(value))


def _short_key(text: str) -> str:
    return text if len(text) < 60 else f'{text[:57]}...'
