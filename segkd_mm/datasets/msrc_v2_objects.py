"""MSRC-v2 data set in the classes of things that VOC 2012 has, and background."""

from collections.abc import Sequence

from mmseg.registry import DATASETS

from segkd_mm.datasets.msrc_v2 import MSRCv2Dataset
from segkd_mm.labels import VOID

PERSON = 'face', 'body'


@DATASETS.register_module()
class MSRCv2ObjectsDataset(MSRCv2Dataset):
    """MSRC-v2 for a teacher that knows all classes: 11 things that VOC 2012 has, and background.

    face and body are both person. Everything else is background, such as grass, building and sign;
    but horse, which VOC has and of which there are 3 images, is void. The names and their order are
    VOC's. Splits and files are those of :class:`MSRCv2Dataset`.
    """

    METAINFO = {
        'classes': (
            'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'car', 'cat', 'chair', 'cow',
            'dog', 'person', 'sheep',
        ),
        'palette': [
            [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 128, 128],
            [64, 0, 0], [192, 0, 0], [64, 128, 0], [64, 0, 128], [192, 128, 128], [128, 64, 0],
        ],
    }  # fmt: skip

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None) -> dict[int, int]:
        """The index here of each of MSRC-v2's 23 classes.

        Raises:
            ValueError: ``new_classes``, of metainfo, are others; the classes are fixed.
        """
        if tuple(new_classes or ()) != cls.METAINFO['classes']:
            raise ValueError(
                f'MSRCv2ObjectsDataset: metainfo has the classes {new_classes}, expected '
                f'{cls.METAINFO["classes"]}. Leave them out, or take MSRCv2Dataset.'
            )
        return {i: cls._index(name) for i, name in enumerate(MSRCv2Dataset.METAINFO['classes'])}

    @classmethod
    def _index(cls, name: str) -> int:
        if name == 'horse':
            return VOID
        classes = cls.METAINFO['classes']
        name = 'person' if name in PERSON else name
        return classes.index(name) if name in classes else classes.index('background')
