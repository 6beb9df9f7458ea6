"""Import of MMSegmentation: what to install if it is missing, and no noise if it is there."""

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
# Printed by mmseg.datasets, which wants optional packages of its maintainers.
_ONEDL_NOTICE = 'Could not import OneDL'
# mmcv without compiled operators; mmengine on the last torch with functional optimizers. Nothing
# here needs either.
_WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',
    '`TorchScript` support for functional optimizers is deprecated',
)


def import_toolbox() -> None:
    """Import MMSegmentation.

    Raises:
        ImportError: It, MMEngine or MMCV is missing, incomplete, or two sets of them are mixed;
            says what to install.
        SystemExit: The same, for a script of ``tools/`` or ``demo/``.
    """
    try:
        with _without_known_noise():
            importlib.import_module('mmseg.datasets')
            importlib.import_module('mmseg.models')
    except (ImportError, AssertionError) as error:  # AssertionError: versions that do not fit
        advice = _advice(error)
        if advice is None:
            raise
        command = _command()
        if command is not None and '--debug' not in sys.argv:
            # run_command() is not there yet to report it.
            raise SystemExit(f'{command}: {advice}') from None
        raise ImportError(advice) from None


def _command() -> str | None:
    """Name of the script of ``tools/`` or ``demo/`` that Python runs; None if it runs another."""
    file = getattr(sys.modules.get('__main__'), '__file__', None)
    for folder in Path(file).resolve().parents if file else ():
        if folder.name in ('tools', 'demo') and (folder.parent / PACKAGE).is_dir():
            return Path(file).stem
    return None


@contextmanager
def _without_known_noise() -> Iterator[None]:
    """Leave out exactly the lines above; all others are shown as ever."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_others(message: Warning | str, *args, **kwargs) -> None:
            if not str(message).startswith(_WARNINGS):
                show(message, *args, **kwargs)

        # A filter is not enough: torch sets its own around its warning.
        warnings.showwarning = show_others
        from mmengine.logging import logger

        def print_others(message: object) -> None:
            if message != _ONEDL_NOTICE:
                print(message)

        # print_log() without a logger calls print(), which a name of its module overrides.
        logger.print = print_others
        try:
            yield
        finally:
            del logger.print


def _advice(error: Exception) -> str | None:
    """What to install, or None if the cause is another."""
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
            f'README.md says (Two dependency stacks), or use the other: {_install("maintained")}.'
        )
    if missing.partition('.')[0] in TOOLBOX or isinstance(error, AssertionError):
        return (
            f'mmseg_langseg needs MMSegmentation, MMEngine and MMCV ({error}). Install one of '
            f'their two sets: {_install("maintained")} (current torch) or '
            f'{_install("classic")} (torch up to 2.5).'
        )
    return None


def _install(extra: str) -> str:
    return f'pip install "mmseg_langseg[{extra}]", in a checkout pip install -e ".[{extra}]"'


def _installed(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found
