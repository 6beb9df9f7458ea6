"""GPUs that torch cannot use, with the facts that torch reports on such machines."""

import os

import pytest

from mmseg_langseg.environment.machine import check_machine

TORCH = dict(
    version='2.9.0', cuda='13.0', available=False, warning='', architectures=[], gpus=[], mps=False
)
GPU = dict(name='B200', capability='10.0', memory=192 * 2**30, error='')


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Install an nvidia-smi that lists one GPU."""
    program = tmp_path / 'nvidia-smi'
    program.write_text('#!/bin/sh\necho "Tesla T4, 470.57"\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)


def test_a_gpu_that_works():
    torch = dict(TORCH, available=True, gpus=[GPU])
    section = check_machine(torch)
    assert not section.problems
    assert 'cuda:0: B200, 192 GiB, compute capability 10.0' in section.facts


def test_a_gpu_that_this_torch_is_not_built_for():
    gpu = dict(GPU, error='no kernel image is available for execution on the device')
    torch = dict(TORCH, available=True, gpus=[gpu], architectures=['sm_80', 'sm_90'])
    (problem,) = check_machine(torch).problems
    for part in ('cuda:0 (B200', 'sm_80, sm_90', 'no kernel image', '--device cpu'):
        assert part in problem


@pytest.mark.usefixtures('smi')
def test_why_torch_does_not_use_the_gpu(monkeypatch):
    section = check_machine(dict(TORCH, cuda=None))
    assert 'GPU: Tesla T4, driver 470.57' in section.facts
    (problem,) = section.problems
    assert 'torch 2.9.0 is built without CUDA: install a torch with CUDA' in problem
    (problem,) = check_machine(dict(TORCH, warning='The NVIDIA driver is too old')).problems
    assert '(The NVIDIA driver is too old): update the NVIDIA driver' in problem
    (problem,) = check_machine(TORCH).problems
    assert '--gpus all' in problem
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    section = check_machine(TORCH)
    assert not section.problems and "CUDA_VISIBLE_DEVICES='' hides the GPU" in section.facts[-1]
    assert not check_machine(None).problems
