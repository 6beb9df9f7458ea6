import zipfile

import pytest
import torch

from mmseg_langseg.fileio import read_checkpoint
from tests.hostile_weights import Overwriting

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit')


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2).half().float()
        self.norm = torch.nn.BatchNorm1d(2)
        self.mask = torch.ones(2)  # in the archive, but not in the state dict

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x)) * self.mask


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.scale = torch.nn.Parameter(torch.tensor(3.0))
        self.register_buffer('table', torch.randn(3, 2).half().t())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x * self.scale


@pytest.mark.parametrize('make', [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(2, 2))])
def test_tensors_are_those_of_the_state_dict(tmp_path, make):
    scripted = make(Model().eval())
    path = tmp_path / 'a.pt'
    torch.jit.save(scripted, path)
    got, expected = read_checkpoint(path), scripted.state_dict()
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype and torch.equal(got[name], value), name


def test_its_program_is_not_run(tmp_path):
    path, victim = tmp_path / 'a.pt', tmp_path / 'victim'
    victim.write_bytes(b'precious')
    torch.jit.save(torch.jit.script(Overwriting(str(victim))), path)
    assert read_checkpoint(path) == {}
    assert victim.read_bytes() == b'precious'
    torch.jit.load(path)  # the attack works with torch.jit.load
    assert victim.read_bytes() == b'AAAAAAAA'


def test_cut_archives_are_named(tmp_path):
    path = tmp_path / 'a.pt'
    torch.jit.save(torch.jit.script(Model()), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"a\.pt' is not a complete checkpoint"):
        read_checkpoint(path)


def test_a_number_is_not_repeated_without_end(tmp_path):
    path, bad = tmp_path / 'a.pt', tmp_path / 'bad.pt'
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 4)), path)
    # The weight's shape and strides.
    shape, steps = b'(K\x04K\x03t', b'(K\x03K\x01t'
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith('/data.pkl'):
                assert shape in content and steps in content
                content = content.replace(shape, b'(M\xff\xffM\xff\xfft')
                content = content.replace(steps, b'(K\x00K\x00t')
            new.writestr(name, content)
    with pytest.raises(ValueError, match=r'bad\.pt.*shape \(65535, 65535\) from 12 numbers'):
        read_checkpoint(bad)
