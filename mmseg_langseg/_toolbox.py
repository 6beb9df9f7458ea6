"""Import MMSegmentation, with installation advice on failure and without irrelevant warnings."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STACKS = {
    'maintained': ('onedl-mmsegmentation', 'onedl-mmengine', 'onedl-mmcv'),
    'classic': ('mmsegmentation', 'mmengine', 'mmcv'),
}
PACKAGE = __name__.partition('.')[0]
TOOLBOX = ('mmengine', 'mmcv', 'mmseg')
# Printed by mmseg.datasets when optional packages of its maintainers are missing.
_ONEDL_NOTICE = 'Could not import OneDL'
# From mmcv without compiled operators, and from mmengine on the last torch with functional
# optimizers. This package needs neither.
_WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',
    '`TorchScript` support for functional optimizers is deprecated',
)


def import_toolbox() -> None:
    """Import MMSegmentation.

    Raises:
        ImportError: MMSegmentation, MMEngine or MMCV is missing or incomplete, or both dependency
            stacks are installed. The message says what to install.
        SystemExit: The same, for a script of ``tools/`` or ``demo/``.
    """
    try:
        with _without_known_noise():
            importlib.import_module('mmseg.datasets')
            importlib.import_module('mmseg.models')
    except (ImportError, AssertionError) as error:  # AssertionError: incompatible versions
        advice = _advice(error)
        if advice is None:
            raise
        command = _command()
        if command is not None and '--debug' not in sys.argv:
            # run_command() is not there yet to report it.
            raise SystemExit(f'{command}: {advice}') from None
        raise ImportError(advice) from None


def _command() -> str | None:
    """Return the name of the running script of ``tools/`` or ``demo/``, None for any other."""
    file = getattr(sys.modules.get('__main__'), '__file__', None)
    for folder in Path(file).resolve().parents if file else ():
        # In a checkout, the package is beside the folder; in a wheel, they are in its .mim folder.
        ours = (folder.parent / PACKAGE).is_dir() or folder.parts[-3:-1] == (PACKAGE, '.mim')
        if folder.name in ('tools', 'demo') and ours:
            return Path(file).stem
    return None


@contextmanager
def _without_known_noise() -> Iterator[None]:
    """Suppress the messages listed above, and no others."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_others(message: Warning | str, *args, **kwargs) -> None:
            if not str(message).startswith(_WARNINGS):
                show(message, *args, **kwargs)

        # A warning filter is not enough: torch sets its own around its warning.
        warnings.showwarning = show_others
        from mmengine.logging import logger

        def print_others(message: object) -> None:
            if message != _ONEDL_NOTICE:
                print(message)

        # print_log() without a logger calls print(), which this module attribute overrides.
        logger.print = print_others
        try:
            yield
        finally:
            del logger.print


def _advice(error: Exception) -> str | None:
    """Return what to install, or None if the error has another cause."""
    installed = {stack: _installed(names) for stack, names in STACKS.items()}
    if all(installed.values()):
        names = ' '.join(name for names in installed.values() for name in names)
        return (
            f'MMSegmentation cannot be imported ({error}): packages of both dependency stacks are '
            f'installed, and they overwrite each other. Uninstall all of them (pip uninstall '
            f'{names}), then install one stack: {_install("maintained")}.'
        )
    missing = getattr(error, 'name', None) or ''
    if missing == 'mmcv._ext':
        return (
            'mmcv has no compiled operators, which the classic dependency stack needs: build it as '
            'described in README.md (Two dependency stacks), or use the other stack: '
            f'{_install("maintained")}.'
        )
    if missing.partition('.')[0] in TOOLBOX or isinstance(error, AssertionError):
        return (
            f'mmseg_langseg needs MMSegmentation, MMEngine and MMCV ({error}). Install one of the '
            f'two dependency stacks: {_install("maintained")} (current torch) or '
            f'{_install("classic")} (torch up to 2.5).'
        )
    return None


def _install(extra: str) -> str:
    return f'pip install "mmseg_langseg[{extra}]", or in a checkout pip install -e ".[{extra}]"'


def _installed(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found
