"""The command ``langseg``; each of its commands is a module."""

from mmseg_langseg._toolbox import is_environment_check

if is_environment_check():
    from .check import main
else:
    from .commands import main, parse_args

__all__ = ['main', 'parse_args']
