"""Find the configs, tools, demo and docs of the package, with or without a checkout."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path, PurePath

PACKAGE = Path(__file__).resolve().parents[1]
_INDEX = 'model-index.yml'


def resource_folder(name: str) -> Path:
    """Return the path of ``configs``, ``tools``, ``demo`` or ``docs``.

    A wheel has them in ``mmseg_langseg/.mim``, as OpenMMLab packages do; in a checkout and an
    editable install they are beside the package.

    Args:
        name: ``'configs'``, ``'tools'``, ``'demo'`` or ``'docs'``.

    Raises:
        FileNotFoundError: The package was copied or installed without the folder.
    """
    places = (PACKAGE / '.mim', PACKAGE.parent)
    for place in places:
        if (place / _INDEX).is_file() and (place / name).is_dir():
            return place / name
    raise FileNotFoundError(
        f'mmseg_langseg has no {name!r} folder with {_INDEX} in {places[0]} or {places[1]}; '
        'install the package from a wheel or a checkout.'
    )


def documentation_page(name: str) -> str:
    """Return the path of a page of the documentation, for messages.

    Args:
        name: File name, e.g. ``'masks.md'``; it may be in any folder of ``docs``.
    """
    try:
        found = sorted(resource_folder('docs').rglob(name))
    except FileNotFoundError:
        found = []
    return str(found[0]) if found else f'docs/{name}'


def find_config(path: str | Path) -> Path | None:
    """Return the config file of a path, or of the name of a config of this package.

    Args:
        path: A file, or, where there is none, a config of this package, e.g.
            ``pixelclip/vit-b16_coco``, ``pixelclip/vit-b16_coco.py`` or
            ``configs/pixelclip/vit-b16_coco.py``.

    Returns:
        The existing file, None if there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    name = _config_name(path)
    if path.exists() or path.is_absolute() or '..' in path.parts or not name:
        return None
    try:
        file = resource_folder('configs') / f'{name}.py'
    except FileNotFoundError:
        return None
    return file if file.is_file() else None


def similar_configs(path: str | Path) -> list[str]:
    """Return at most three configs of this package with the same file name or a similar path."""
    name, names = _config_name(Path(path)), config_names()
    same_file = [known for known in names if PurePath(known).name == PurePath(name).name]
    return (same_file or get_close_matches(name, names))[:3]


def config_names() -> list[str]:
    """Return the names of the configs of this package, without those of ``_base_``."""
    try:
        folder = resource_folder('configs')
    except FileNotFoundError:
        return []
    files = (file.relative_to(folder).with_suffix('') for file in folder.rglob('*.py'))
    return sorted(file.as_posix() for file in files if '_base_' not in file.parts)


def _config_name(path: PurePath) -> str:
    """Return ``method/name`` of ``[configs/]method/name[.py]``."""
    return path.as_posix().removeprefix('configs/').removesuffix('.py')
