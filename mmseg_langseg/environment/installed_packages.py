"""Installed packages, compared with the versions that this package requires."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mmseg_langseg._toolbox import PACKAGE, STACKS, installed_of

from .section import Section

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_FOR_DEVELOPERS = 'tests'


def check_packages() -> list[Section]:
    """Compare the installed packages with the requirements of this package and its extras.

    Returns:
        Sections on Python with the dependency stack, the required packages, and the extras.
    """
    stack, chosen = _stack()
    try:
        from packaging.requirements import Requirement

        requirements = [Requirement(line) for line in importlib.metadata.requires(PACKAGE) or []]
    except ImportError as error:  # also if there is no such distribution
        stack.problems.append(
            f'the required versions are unknown, as {error.name} is not installed: '
            f'pip install "{PACKAGE}[{chosen or "maintained"}]"'
        )
        return [_python(), stack]
    required = Section('Required packages')
    ours = _of_extra(requirements, None) + (_of_extra(requirements, chosen) if chosen else [])
    for requirement in ours:
        fact, problem = _compare(requirement)
        required.facts.append(fact)
        if problem:
            advice = f'pip install "{_without_marker(requirement)}"'
            required.problems.append(f'{fact}: {advice}')
    return [_python(), stack, required, _extras(requirements)]


def _python() -> Section:
    found = f'{platform.python_version()}, {sys.executable}, {platform.platform()}'
    return Section('Python', [found])


def _stack() -> tuple[Section, str | None]:
    """Return the section on the dependency stack, and the name of the stack if it is clear."""
    section = Section('MMSegmentation')
    found = {name: installed_of(packages) for name, packages in STACKS.items()}
    for name, packages in found.items():
        if packages:
            section.facts.append(f'{name} stack: {", ".join(packages)}')
    if all(found.values()):
        names = ' '.join(package for packages in found.values() for package in packages)
        section.problems.append(
            'packages of both dependency stacks are installed, and they overwrite each other: '
            f'pip uninstall {names}, then pip install "{PACKAGE}[maintained]"'
        )
        return section, None
    for name, packages in found.items():
        if packages:
            return section, name
    section.facts.append('not installed')
    section.problems.append(
        f'MMSegmentation is not installed: pip install "{PACKAGE}[maintained]" (current torch), '
        f'or "{PACKAGE}[classic]" (torch up to 2.5)'
    )
    return section, None


def _extras(requirements: list[Requirement]) -> Section:
    section = Section('Optional packages')
    names = sorted(
        extra
        for extra in importlib.metadata.metadata(PACKAGE).get_all('Provides-Extra') or []
        if extra not in STACKS and extra != _FOR_DEVELOPERS
    )
    for name in names:
        compared = [_compare(requirement) for requirement in _of_extra(requirements, name)]
        fact = f'{name}: {", ".join(fact for fact, _ in compared)}'
        if any(problem for _, problem in compared):
            fact += f'; to use it: pip install "{PACKAGE}[{name}]"'
        section.facts.append(fact)
    return section


def _of_extra(requirements: Iterable[Requirement], extra: str | None) -> list[Requirement]:
    """Return the requirements that an extra adds to those of the package itself."""

    def applies(requirement: Requirement, name: str) -> bool:
        return requirement.marker is None or requirement.marker.evaluate({'extra': name})

    return [
        one
        for one in requirements
        if applies(one, extra or '') and not (extra and applies(one, ''))
    ]


def _compare(requirement: Requirement) -> tuple[str, bool]:
    """Return one line on an installed version, and whether it is missing or out of range."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f'{requirement.name} is not installed', True
    if requirement.specifier.contains(version, prereleases=True):
        return f'{requirement.name} {version}', False
    return f'{requirement.name} {version} is not supported (needs {requirement.specifier})', True


def _without_marker(requirement: Requirement) -> str:
    return f'{requirement.name}{requirement.specifier}'
