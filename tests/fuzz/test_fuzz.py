"""A short round of the fuzz campaign, and a check that the harness detects failures."""

import contextlib
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz import harness
from tests.fuzz.harness import fuzz
from tests.fuzz.target import Target, find_targets

EXAMPLES = 80
TARGETS = find_targets()


@pytest.mark.parametrize('name', TARGETS)
def test_hostile_inputs_are_used_or_refused_by_name(name):
    report = fuzz(TARGETS[name], EXAMPLES, seed=0)
    assert not report.failures, report.failures[0]
    # The inputs are neither all valid nor all invalid.
    assert report.accepted >= 3 and report.refused >= 3


def use_and_write(inputs, out):
    (out / 'made').write_bytes((inputs / 'x').read_bytes())


def misbehave(how):
    def run(inputs, out):
        if how == 'signal':
            os.abort()
        elif how == 'error':
            raise KeyError('x')
        elif how == 'nameless':
            raise ValueError('something is wrong')
        elif how == 'endless':
            raise ValueError('x.json' * 10**4)
        elif how == 'stuck':
            while True:
                with contextlib.suppress(Exception):
                    sum(range(1000))
        elif how == 'stuck in C':
            sum(itertools.repeat(0))
        elif how == 'memory':
            bytearray(2**40)
        elif how == 'outside':
            (out.parent / 'x').write_text('x')
        elif how == 'input':
            (inputs / 'x').write_text('changed')

    return run


def make_target(run):
    def prepare(case: bytes, inputs: Path) -> None:
        (inputs / 'x').write_bytes(case)

    return Target(st.binary(), prepare, run, (ValueError,), ('x.json',))


@pytest.mark.parametrize(
    'how, found',
    [
        ('signal', 'SIGABRT'),
        ('error', 'unexpected KeyError'),
        ('nameless', 'does not name x.json'),
        ('stuck', 'longer than 1 seconds'),
        ('stuck in C', 'SIGKILL at the input'),
        ('endless', 'has 60000 characters'),
        ('memory', 'unexpected MemoryError'),
        ('outside', 'outside the output folder'),
        ('input', 'files were changed'),
    ],
)
def test_the_harness_finds(how, found, monkeypatch):
    monkeypatch.setattr(harness, 'PATIENCE', 1 if how.startswith('stuck') else 60)
    monkeypatch.setattr(harness, 'GRACE', 1)
    report = fuzz(make_target(misbehave(how)), 3, seed=0, shrink=False)
    assert len(report.failures) == 1 and found in report.failures[0]


def test_the_harness_lets_pass():
    report = fuzz(make_target(use_and_write), 5, seed=0)
    assert report.accepted == 5 and not report.failures
