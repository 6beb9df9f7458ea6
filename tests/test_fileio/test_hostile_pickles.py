"""Pickles with wrong sizes and types or excessive nesting, and valid ones like them."""

import os
import pickle

import numpy as np
import pytest
import torch

from mmseg_langseg.fileio import read_checkpoint
from tests.hostile_weights import DEEP, MEMORY_ATTACKS, array, tensor, write_program


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('name', MEMORY_ATTACKS)
def test_what_would_corrupt_memory_is_refused(tmp_path, monkeypatch, name, legacy):
    monkeypatch.chdir(tmp_path)
    path = write_program(tmp_path / 'a.pth', MEMORY_ATTACKS[name], legacy)
    for mmap in (False, True):
        with pytest.raises(ValueError, match=r"a\.pth'") as error:
            read_checkpoint(path, mmap=mmap)
        assert len(str(error.value)) < 1000
    assert os.listdir(tmp_path) == ['a.pth']


def test_a_deep_key_after_the_pickle_is_refused(tmp_path):
    """The legacy format has a list of the storages, which are looked up."""
    path = write_program(tmp_path / 'a.pth', b'N', legacy=True)
    keys = pickle.dumps(['0'], 2)
    path.write_bytes(path.read_bytes().replace(keys, b'\x80\x02](' + DEEP + b'e.'))
    with pytest.raises(ValueError, match=r"a\.pth'.*nested tuples"):
        read_checkpoint(path)


def test_deep_lists_and_dicts_do_not_end_the_process(tmp_path):
    for program in (b']' * 200_000 + b'a' * 199_999, b'}' * 100_000 + b'Vx\n' + b's' * 99_999):
        path = write_program(tmp_path / 'a.pth', program)
        try:
            found = read_checkpoint(path)
        except ValueError as error:
            assert 'a.pth' in str(error)
            continue
        for use in (repr, pickle.dumps):
            with pytest.raises(RecursionError):
                use(found)
        again = read_checkpoint(path)
        with pytest.raises(RecursionError):
            assert found == again


@pytest.mark.parametrize('kind', ['?', 'i1', 'u2', 'i4', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16'])
@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('legacy', [False, True])
def test_arrays_of_all_numbers_come_back(tmp_path, kind, order, legacy):
    number = np.dtype(order + kind)
    values = np.arange(6).reshape(2, 3).astype(number)
    arrays = [values, values.T, values[:, :0], values[0, ::2], np.array(values[1, 2])]
    path = tmp_path / 'a.pth'
    content = dict(arrays=arrays, scalars=list(values[1]), dtype=number)
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(path)
    for expected, got in zip(arrays, found['arrays'], strict=True):
        assert got.shape == expected.shape and np.array_equal(got, expected)
        assert got.dtype.newbyteorder('=') == number.newbyteorder('=')
    assert found['scalars'] == content['scalars'] and found['dtype'] == number


def test_strings_of_numpy_are_refused_by_name(tmp_path):
    for value in (np.array(['a', 'bc']), np.array([b'a']), np.str_('a'), np.array(['2020'], 'M8')):
        torch.save({'x': value}, tmp_path / 'a.pth')
        with pytest.raises(ValueError, match=r"a\.pth' holds 'numpy\.dtype "):
            read_checkpoint(tmp_path / 'a.pth')


def test_tensors_of_all_layouts_come_back(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    wave, other = torch.complex(base, -base), torch.complex(base, -base)
    content = dict(
        views=[base, base[1:, 2:], base.t(), base[:0], base[2, 3], base[0, :1].expand(5)],
        waves=[wave, wave.conj(), other.conj().imag],
        leaf=torch.nn.Parameter(base.clone()),
        keys={(1, ('a', 2)): 1, ('b',): 2, frozenset([(1, 2)]): 3},
        slices=[slice(None), slice(1, 9, 2)],
    )
    path = tmp_path / 'a.pth'
    torch.save(content, path)
    for mmap in (False, True):
        found = read_checkpoint(path, mmap=mmap)
        for name in ('views', 'waves'):
            for a, b in zip(content[name], found[name], strict=True):
                assert torch.equal(a, b) and a.stride() == b.stride(), name
        assert found['leaf'].requires_grad and found['leaf'].is_leaf
        assert found['keys'] == content['keys'] and found['slices'] == content['slices']


def test_the_helpers_make_programs_that_are_read(tmp_path):
    dtype = b'cnumpy\ndtype\n(Vu1\nI00\nI01\ntR(K\x03V|\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb'
    path = write_program(tmp_path / 'a.pth', array(dtype, b'K\x02', b'ab'))
    assert read_checkpoint(path)['x'].tolist() == [97, 98]
    for legacy in (False, True):
        write_program(path, tensor(b'K\x01', b'K\x03', b'K\x01'), legacy)
        assert read_checkpoint(path)['x'].tolist() == [0, 0, 0]
