"""Find and load the scripts of the repository."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tool_path(name: str) -> Path:
    """Return the path of a script in ``tools/`` or one of its subfolders."""
    (path,) = (ROOT / 'tools').rglob(f'{name}.py')
    return path


def load_script(path: str):
    """Import a script, e.g. ``tools/quickstart.py``, without adding its folder to sys.path."""
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(f'script_{file.stem}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
