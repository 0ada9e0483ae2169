"""Teachers from the command line: their config, their classes, and the match with one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import get_classes
from mmseg.utils.class_names import dataset_aliases
from torchvision.models import get_model_weights

from segkd_mm.config import first_test_dataset, load_config, plain_student
from segkd_mm.hints import did_you_mean, simplified
from segkd_mm.weights.hubs import HF, TORCHVISION

BACKGROUND = 'background'


@dataclass(frozen=True)
class TeacherChoice:
    """A teacher of an experiment.

    Attributes:
        model: Config of its model, or the path of a config file.
        checkpoint: Its weights.
        classes: Its classes in the order of its ids.
        tap: The module that gives its logits.
    """

    model: dict | str
    checkpoint: str
    classes: list[str]
    tap: str


def choose_teacher(source: str, checkpoint: str | None = None) -> TeacherChoice:
    """The teacher that the user names.

    Args:
        source: ``torchvision://MODEL``, ``hf://OWNER/NAME`` or a folder of transformers, or the
            config file of an experiment or of mmseg.
        checkpoint: Its weights; by default those of the hub or folder, or of an experiment
            ``work_dirs/NAME/best.pth``.

    Raises:
        ValueError: It is none of these, or its classes cannot be known.
        WeightsError: Its config cannot be downloaded.
        FileNotFoundError: The checkpoint of an experiment is missing.
    """
    if source.startswith(TORCHVISION):
        return _of_torchvision(source, checkpoint)
    if source.startswith(HF) or Path(source, 'config.json').is_file():
        return _of_transformers(source, checkpoint)
    if source.endswith('.py'):
        return _of_config(source, checkpoint)
    raise ValueError(
        f'--teacher is {source!r}, expected torchvision://MODEL, hf://OWNER/NAME, a folder of '
        'transformers with config.json, or a config file (.py).'
    )


def _of_torchvision(source: str, checkpoint: str | None) -> TeacherChoice:
    name = source.removeprefix(TORCHVISION)
    try:
        names = get_model_weights(name).DEFAULT.meta['categories']
    except (KeyError, ValueError):
        names = []
    classes = [BACKGROUND if one == '__background__' else one for one in names]
    if BACKGROUND not in classes:
        raise ValueError(
            f'--teacher: torchvision has no segmentation model {name!r} with weights, such as '
            'fcn_resnet50, deeplabv3_resnet101 or lraspp_mobilenet_v3_large.'
        )
    model = {'type': 'TorchvisionSegmentor', 'arch': name, 'num_classes': len(classes)}
    return TeacherChoice(model, checkpoint or source, classes, 'classifier')


def _of_transformers(source: str, checkpoint: str | None) -> TeacherChoice:
    model = {'type': 'TransformersSegmentor', 'name': source.removeprefix(HF)}
    classes = MODELS.build(model).classes
    if classes is None:
        raise ValueError(
            f'--teacher: {source} has no names for its classes (id2label in its config.json), so '
            'that they cannot be matched with yours. Add them there in a local copy.'
        )
    return TeacherChoice(model, checkpoint or source, [*classes], 'logits')


def _of_config(source: str, checkpoint: str | None) -> TeacherChoice:
    config = load_config(source)
    checkpoint = checkpoint or f'work_dirs/{Path(source).stem}/best.pth'
    if '://' not in checkpoint and not Path(checkpoint).exists():
        raise FileNotFoundError(
            f'--teacher: {checkpoint} does not exist. Give the weights of {source} as the second '
            'word: --teacher CONFIG CHECKPOINT.'
        )
    model = plain_student(config).model
    tap = 'decode_head.conv_seg' if 'decode_head' in model else 'logits'
    return TeacherChoice(config.filename, checkpoint, _classes_of(config, source), tap)


def _classes_of(config: Config, source: str) -> list[str]:
    """The classes of a config's data."""
    dataset: ConfigDict = first_test_dataset(config)
    own = dataset.get('classes') or dataset.get('metainfo', {}).get('classes')
    classes = own or getattr(DATASETS.get(dataset.type), 'METAINFO', {}).get('classes')
    if not classes:
        raise ValueError(
            f'--teacher: the test data of {source} ({dataset.type}) have no list of classes; add '
            'metainfo=dict(classes=[...]) to them.'
        )
    return [*classes]


def match_names(
    classes: Sequence[str], teacher: Sequence[str], given: Mapping[str, Sequence[str]]
) -> dict[str, str | list[str]]:
    """Match class names: the argument ``mapping`` of ``ClassMap``, where names differ.

    Names match without regard to case, spaces, ``-`` and ``_``.

    Args:
        classes: The student's.
        teacher: The teacher's.
        given: The teacher's classes that together are one of the student's; an empty list where it
            does not know it.

    Raises:
        ValueError: A name is unknown, or a class has no match; shows the option to give.
    """
    by_name = {simplified(name): name for name in teacher}
    for name in given:
        _require_known(name, classes, 'your')
        for target in given[name]:
            _require_known(target, teacher, "the teacher's")
    matched = {name: [by_name[simplified(name)]] for name in classes if simplified(name) in by_name}
    targets = {**matched, **given}
    if missing := [name for name in classes if name not in targets]:
        raise ValueError(_offer(missing, teacher))
    return {
        name: names[0] if len(names) == 1 else [*names]
        for name, names in targets.items()
        if [one.casefold() for one in names] != [name.casefold()]
    }


def list_name(classes: Sequence[str]) -> str | None:
    """mmseg's name for a list of classes, such as 'voc' or 'ade'; None where it has none."""
    for name, aliases in dataset_aliases.items():
        if get_classes(aliases[0]) == [*classes]:
            return name
    return None


def _require_known(name: str, known: Sequence[str], whose: str) -> None:
    if name not in known:
        raise ValueError(
            f'--map: {name!r} is none of {whose} classes{did_you_mean(name, known)}: '
            f'{", ".join(known)}.'
        )


def _offer(missing: Sequence[str], teacher: Sequence[str]) -> str:
    """The error that shows which option is to be given."""
    entries = [f'{name!r}=' if ' ' in name else f'{name}=' for name in missing]
    return (
        f'The teacher has no class of the name {", ".join(map(repr, missing))}. Its classes: '
        f'{", ".join(teacher)}.\nSay which of them each is (several with commas, nothing after = '
        f'where it knows none):\n  --map {" ".join(entries)}'
    )
