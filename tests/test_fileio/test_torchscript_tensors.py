import zipfile

import pytest
import torch
from torch import nn

from mmseg_langseg.fileio import UnsafeFileError, is_torchscript, read_torchscript_tensors

pytestmark = pytest.mark.filterwarnings('ignore')


class Example(nn.Module):
    """All that a module can hold: a shared weight, a list, buffers and plain attributes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4).half()
        self.norm = nn.BatchNorm2d(3)
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
        self.register_buffer('steps', torch.arange(4))
        self.register_buffer('unsaved', torch.ones(1), persistent=False)
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.shared = self.linear.weight
        # As OpenAI's CLIP holds its attention mask: a tensor, but no buffer.
        self.mask = torch.ones(3, 3)
        self.sizes = [1, 2]

    def forward(self, x):
        return x + self.mask.sum()


@pytest.fixture(params=['script', 'trace'])
def archive(request, tmp_path):
    model = Example()
    compiled = torch.jit.script(model)
    if request.param == 'trace':
        compiled = torch.jit.trace(model, torch.ones(2))
    torch.jit.save(compiled, tmp_path / 'model.pt')
    return tmp_path / 'model.pt'


def test_tensors_are_those_of_the_loaded_archive(archive):
    expected = torch.jit.load(archive).state_dict()
    got = read_torchscript_tensors(archive)
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert torch.equal(got[name], value) and got[name].dtype == value.dtype
    assert is_torchscript(archive)


def test_checkpoints_are_no_archives(tmp_path):
    torch.save({'a': torch.ones(1)}, tmp_path / 'a.pth')
    (tmp_path / 'b.pth').write_text('hello')
    assert not is_torchscript(tmp_path / 'a.pth') and not is_torchscript(tmp_path / 'b.pth')


def rewrite(source, target, changes):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name.split('/', 1)[1], old.read(name)))
    return target


def test_a_function_is_refused_by_name(archive, tmp_path):
    hostile = b'cos\nsystem\n(S"touch RAN"\ntR.'
    path = rewrite(archive, tmp_path / 'bad.pt', {'data.pkl': hostile})
    with pytest.raises(UnsafeFileError, match=r'bad\.pt.*os\.system'):
        read_torchscript_tensors(path)


def test_program_text_is_not_run(archive, tmp_path):
    # torch.jit.load would compile it.
    text = b'class Example(Module):\n  __parameters__ = ["scale", ]\n  this is no program\n'
    path = rewrite(archive, tmp_path / 'text.pt', {'code/__torch__.py': text})
    assert isinstance(read_torchscript_tensors(path), dict)


@pytest.mark.parametrize('change', [{'data.pkl': b'N.'}, {'data.pkl': b''}, {'data/0': b''}])
def test_damage_is_named(archive, tmp_path, change):
    path = rewrite(archive, tmp_path / 'bad.pt', change)
    with pytest.raises(ValueError, match=r'bad\.pt.* is a damaged TorchScript archive'):
        read_torchscript_tensors(path)


def test_sizes_beyond_a_storage_are_refused(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        root = file.namelist()[0].split('/')[0]
        content = file.read(f'{root}/data.pkl')
    # The number of rows of the first tensor of shape (4, 3), as pickle writes it.
    assert b'(K\x04K\x03t' in content
    grown = content.replace(b'(K\x04K\x03t', b'(K\xffK\x03t')
    path = rewrite(archive, tmp_path / 'bad.pt', {'data.pkl': grown})
    with pytest.raises(ValueError, match='out of bounds'):
        read_torchscript_tensors(path)
