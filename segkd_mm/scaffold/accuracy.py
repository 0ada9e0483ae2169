"""Accuracy of the students that a new experiment can take, as published results have it."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name('student_accuracy.json')
REFERENCE = 'mnv3s_slim'
# Points of mIoU within which two students are alike: about the deviation over seeds.
ALIKE = 0.7


@dataclass(frozen=True)
class Accuracy:
    """Test mIoU of a student, and what it is of.

    Attributes:
        result: Folder of the result files in results/.
        miou: In percent, the mean over seeds.
        seeds: Number of seeds.
        gain: Points above :data:`REFERENCE` in the same folder of results; None where that has no
            result there, so that the two do not compare.
    """

    result: str
    miou: float
    seeds: int
    gain: float | None

    @property
    def order(self) -> tuple[bool, float]:
        """Larger is better: those that compare with the reference come first."""
        return (self.gain is not None, self.miou if self.gain is None else self.gain)


def read_accuracies() -> dict[str, Accuracy]:
    """The accuracy of each student that has a result of its own."""
    content = json.loads(FILE.read_text(encoding='utf-8'))
    reference = {_folder(entry): entry['mIoU'] for entry in content[REFERENCE]}
    return {
        name: max((_accuracy(entry, reference) for entry in entries), key=lambda one: one.order)
        for name, entries in content.items()
        if entries
    }


def _accuracy(entry: dict, reference: dict[str, float]) -> Accuracy:
    other = reference.get(_folder(entry))
    gain = None if other is None else entry['mIoU'] - other
    return Accuracy(entry['result'], entry['mIoU'], entry['seeds'], gain)


def _folder(entry: dict) -> str:
    return entry['result'].split('/')[0]
