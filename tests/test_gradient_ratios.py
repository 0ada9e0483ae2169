from types import SimpleNamespace

import pytest
from torch import nn

from segkd_mm.gradient_ratios import gradient_ratios, outputs_of, trunk_of


@pytest.mark.parametrize('has_backbone', [True, False])
def test_ratios_by_hand_for_students_with_and_without_a_backbone(has_backbone):
    net = nn.Linear(3, 1, bias=False)
    student = nn.Module()
    student.add_module('backbone' if has_backbone else 'net', net)
    on, off = SimpleNamespace(is_on=True), SimpleNamespace(is_on=False)
    model = SimpleNamespace(student=student, terms={'a': on, 'b': off})
    with outputs_of(trunk_of(student)) as features:
        total = net(net.weight.new_ones(1, 3)).sum()
    # The gradient of each is that of the sum, times 3, 6 and 5.
    losses = {'decode.loss_ce': 3 * total, 'terms.a.loss': 6 * total, 'terms.b.loss': 5 * total}
    assert gradient_ratios(model, losses, features) == {'a': pytest.approx(2), 'b': 0}
