"""Find, load and run the scripts of the repository, and read what they write."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.ports import free_port

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


def run(name: str, *args):
    """Call the ``main`` of a script in ``tools/`` in this process and return its result."""
    return load_script(f'tools/{name}.py').main([str(arg) for arg in args])


def run_script(name: str, *args, cwd=None) -> subprocess.CompletedProcess:
    """Run a shell script in ``tools/`` with this Python and a free ``PORT``."""
    env = dict(os.environ, PORT=free_port())
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    command = [str(ROOT / 'tools' / name), *map(str, args)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=400)


def logs(work_dir) -> str:
    """Return the log files of a work folder."""
    return '\n'.join(path.read_text() for path in Path(work_dir).rglob('*.log'))


def metrics(work_dir) -> dict:
    """Return the metrics that a test wrote, without timings."""
    (path,) = Path(work_dir).glob('*/*.json')
    return {key: value for key, value in json.loads(path.read_text()).items() if 'time' not in key}
