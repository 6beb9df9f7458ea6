"""Import MMSegmentation, with installation advice on failure and without irrelevant messages."""

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
_CONSOLE_SCRIPT = ('langseg', 'langseg.exe')
# Printed by mmseg.datasets when optional packages of its maintainers are missing, and by MMEngine
# about its choice of a function that reads a checkpoint.
_PRINTED = ('Could not import OneDL', 'Loads checkpoint by data_')
# From mmcv without compiled operators, and from mmengine on the last torch with functional
# optimizers. This package needs neither.
_WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',
    '`TorchScript` support for functional optimizers is deprecated',
)

_BUILD_MMCV = (
    'pip install "setuptools<81" wheel && '
    'pip install --no-build-isolation --no-deps --force-reinstall mmcv==2.1.0'
)


def is_environment_check() -> bool:
    """Return whether this process is ``langseg check``, which reports on broken installations."""
    return _command() == 'langseg' and sys.argv[1:2] == ['check']


def import_toolbox() -> None:
    """Import MMSegmentation."""
    with without_known_noise():
        importlib.import_module('mmseg.datasets')
        importlib.import_module('mmseg.models')


@contextmanager
def import_advice() -> Iterator[None]:
    """Replace the errors of imports by advice on the installation.

    Raises:
        ImportError: MMSegmentation, MMEngine or MMCV is missing or incomplete, or both dependency
            stacks are installed. The message says what to install.
        SystemExit: Any import failed in the command ``langseg`` or a script of ``tools/`` or
            ``demo/``.
    """
    try:
        yield
    except Exception as error:  # e.g. AssertionError: incompatible versions
        advice, command = _advice(error), _command()
        if command is not None and '--debug' not in sys.argv:
            # run_command() is not there yet to report it.
            text = advice or f'a package cannot be imported ({type(error).__name__}: {error}).'
            raise SystemExit(f'{command}: {text} "langseg check" lists all problems.') from None
        if advice is None:
            raise
        raise ImportError(advice) from None


def _command() -> str | None:
    """Return the name of the running command or script of this package, None for any other."""
    file = getattr(sys.modules.get('__main__'), '__file__', None)
    if Path(sys.argv[0]).name in _CONSOLE_SCRIPT:
        return 'langseg'
    for folder in Path(file).resolve().parents if file else ():
        # In a checkout, the package is beside the folder; in a wheel, they are in its .mim folder.
        ours = (folder.parent / PACKAGE).is_dir() or folder.parts[-3:-1] == (PACKAGE, '.mim')
        if folder.name in ('tools', 'demo') and ours:
            return Path(file).stem
    return None


@contextmanager
def without_known_noise() -> Iterator[None]:
    """Suppress known messages of MMSegmentation, MMEngine and MMCV, and no others."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_others(message: Warning | str, *args, **kwargs) -> None:
            if not str(message).startswith(_WARNINGS):
                show(message, *args, **kwargs)

        # A warning filter is not enough: torch sets its own around its warning.
        warnings.showwarning = show_others
        from mmengine.logging import logger

        def print_others(message: object) -> None:
            if not str(message).startswith(_PRINTED):
                print(message)

        # print_log() without a logger calls print(), which this module attribute overrides.
        logger.print = print_others
        try:
            yield
        finally:
            del logger.print


def _advice(error: Exception) -> str | None:
    """Return what to install, or None if the error has another cause."""
    installed = {stack: installed_of(names) for stack, names in STACKS.items()}
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
            f'mmcv has no usable compiled operators ({error}), which the classic dependency stack '
            f'needs: build them with {_BUILD_MMCV}, or use the other stack: '
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


def installed_of(names: tuple[str, ...]) -> list[str]:
    """Return the distributions that are installed."""
    found = []
    for name in names:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found
