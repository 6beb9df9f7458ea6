"""Find and load the scripts of the repository."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tool_path(name: str) -> Path:
    """The script of this name in ``tools/`` or one of its folders."""
    (path,) = (ROOT / 'tools').rglob(f'{name}.py')
    return path


def load_script(path: str):
    """The module of a script, e.g. ``tools/quickstart.py``; its folder is not put on the path."""
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(f'script_{file.stem}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
