"""Loads a script of the repository as a module, without putting its folder on the path."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load_script(path: str):
    """The module of a script, e.g. ``tools/quickstart.py``."""
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(f'script_{file.stem}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
