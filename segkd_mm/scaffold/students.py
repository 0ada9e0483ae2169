"""Students that a new experiment can take: bases of one head on a backbone with taps."""

from pathlib import Path

from mmengine.config import Config

from segkd_mm.config import config_dir
from segkd_mm.hints import did_you_mean

BACKBONES = ('TorchvisionTapBackbone', 'TimmTapBackbone')


def check_student(name: str) -> None:
    """Check that there is such a student.

    Raises:
        ValueError: There is none; lists those that exist.
    """
    known = list_students()
    if name not in known:
        raise ValueError(
            f'--student {name}{did_you_mean(name, known)}: expected one of {", ".join(known)}.'
        )


def has_own_normalisation(name: str) -> bool:
    """Whether a base says how its pretrained trunk wants images, where that is not as usual."""
    return 'normalisation' in read_student(name)


def read_student(name: str) -> Config:
    """A base in ``configs/_base_/students``."""
    return Config.fromfile(Path(config_dir(), '_base_', 'students', f'{name}.py'))


def list_students() -> list[str]:
    """Names of the bases in ``configs/_base_/students`` that fit any classes as they are."""
    files = sorted(Path(config_dir(), '_base_', 'students').glob('*.py'))
    bases = {file.stem: Config.fromfile(file).student for file in files}
    return [
        name
        for name, student in bases.items()
        if student.backbone.type in BACKBONES
        and 'auxiliary_head' not in student
        and student.decode_head.loss_decode.get('loss_weight') != 0  # a backbone alone
    ]
