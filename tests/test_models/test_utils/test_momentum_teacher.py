"""Momentum (EMA) teacher updates."""

import pytest
import torch
from torch import nn

from mmseg_langseg.models.utils import MomentumTeacher


def test_copies_first_and_averages_then():
    student = nn.Linear(3, 2)
    teacher = MomentumTeacher(student, 0.75)
    with torch.no_grad():
        student.weight.add_(1)
    teacher.update_parameters(student)
    assert torch.equal(teacher.module.weight, student.weight)
    before = student.weight.clone()
    with torch.no_grad():
        student.weight.add_(2)
    teacher.update_parameters(student)
    torch.testing.assert_close(teacher.module.weight, before + 0.5)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_what_is_equal_stays_exactly_equal():
    student = nn.Linear(64, 64)
    teacher = MomentumTeacher(student, 0.999)
    for _ in range(50):
        teacher.update_parameters(student)
    assert torch.equal(teacher.module.weight, student.weight)


@pytest.mark.parametrize('momentum', [-0.1, 1.5])
def test_wrong_momentum(momentum):
    with pytest.raises(ValueError, match=str(momentum)):
        MomentumTeacher(nn.Linear(2, 2), momentum)
