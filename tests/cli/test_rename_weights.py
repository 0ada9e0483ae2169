"""tools/rename_weights.py, run as a user runs it, on the real DeepLabV3 and on bad input."""

import json

import pytest
import torch

CONFIG = 'configs/teacher/deeplabv3_mnv2_voc.py'
ASPP = 'decode_head.aspp'
# As docs/systems.md says.
NAMES = [
    'features=backbone.body', 'cls=decode_head.conv_seg',
    f'pool.0={ASPP}.branches.0.conv.conv', f'pool.1={ASPP}.branches.0.conv.bn',
    f'aspp0.0={ASPP}.branches.1.conv', f'aspp0.1={ASPP}.branches.1.bn',
    f'proj.0={ASPP}.project.conv', f'proj.1={ASPP}.project.bn',
]  # fmt: skip


@pytest.mark.slow
def test_a_teacher_of_another_code_base_comes_to_know_voc(script, real_data, tmp_path):
    theirs, ours = real_data / 'weights/deeplabv3_mobilenet_v2_voc.pth', tmp_path / 'ours.pth'
    done = script('tools/rename_weights.py', CONFIG, theirs, ours, *NAMES)
    assert done.returncode == 0, done.stderr
    assert f'326 tensors in {ours}' in done.stdout
    assert f'tools/test.py {CONFIG} {ours}' in done.stdout
    few = [f'data_root={real_data}/voc/VOC2012', 'test_dataloader.dataset.indices=20']
    out = tmp_path / 'result.json'
    done = script('tools/test.py', CONFIG, ours, '--out', out, '--cfg-options', *few)
    assert done.returncode == 0, done.stderr
    # 92.2 on many more images, says the README of the data.
    assert json.loads(out.read_text())['metrics']['aAcc'] > 85


def test_what_does_not_fit_the_model_is_listed_and_nothing_is_written(script, tmp_path):
    theirs, ours = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
    torch.save({'cls.weight': torch.zeros(21, 256, 1, 1)}, theirs)
    done = script('tools/rename_weights.py', CONFIG, theirs, ours, 'cls=decode_head.conv_seg')
    assert done.returncode == 1
    assert 'missing: backbone.body.0.0.weight' in done.stderr
    assert list(tmp_path.iterdir()) == [theirs]


def test_a_pair_without_an_equals_sign_is_an_error(script, tmp_path):
    done = script('tools/rename_weights.py', CONFIG, 'a.pth', tmp_path / 'b.pth', 'cls')
    assert done.returncode == 2
    assert "'cls', expected OLD=NEW" in done.stderr
