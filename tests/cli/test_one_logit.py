"""The tools on one class against the background with one logit."""

import json
import re

import pytest
import torch
from mmseg.registry import MODELS

from segkd_mm.doctor import Experiment, check_accuracy
from segkd_mm.doctor.accuracy import STUDENT
from segkd_mm.whole_image.builder import TeacherCacheBuilder

CLASSES = ('background', 'disc')
HEAD = dict(
    num_classes=2,
    out_channels=1,
    threshold=0.3,
    loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True),
)


@pytest.fixture
def config(tiny, tmp_path):
    """A distillation of two classes, with one logit on both sides; other shapes are void."""
    made = tiny('kd/response_kd_shapes.py')
    for model in (made.model.student, made.model.teacher.model):
        model.decode_head.update(HEAD)
    for loader in (made.train_dataloader, made.val_dataloader, made.test_dataloader):
        loader.dataset.metainfo = dict(classes=CLASSES)
    torch.manual_seed(0)
    teacher = MODELS.build(made.model.teacher.model)
    torch.nn.init.normal_(teacher.decode_head.conv_seg.weight)
    torch.save(teacher.state_dict(), tmp_path / 'one_logit.pth')
    made.model.teacher.checkpoint = str(tmp_path / 'one_logit.pth')
    made.train_cfg.update(max_epochs=1)
    return made
