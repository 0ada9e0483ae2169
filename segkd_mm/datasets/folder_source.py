"""Source of a ``FolderDataset`` in a config."""

from collections.abc import Iterator, Mapping, Sequence

from segkd_mm.config_source import Table, call_lines

SHARES = (0.8, 0.2)  # of training and validation, where no folders say it


def folder_lines(
    images: str,
    masks: str,
    classes: Sequence[str],
    options: Mapping[str, Mapping] | None = None,
    seed: int | None = None,
) -> Iterator[str]:
    """Lines of ``data = dict(type='FolderDataset', ...)``.

    Args:
        images: Folder of the images.
        masks: Folder of the masks.
        classes: Names of the classes.
        options: Its ``colors`` and ``label_map``.
        seed: Of the split by shares; None where the folders train and val are the split.
    """
    folders = {'type': 'FolderDataset', 'images': images, 'masks': masks}
    shares = {} if seed is None else {'shares': SHARES, **({'seed': seed} if seed else {})}
    tables = [{key: Table(value)} for key, value in (options or {}).items()]
    yield from call_lines('data', folders, {'classes': [*classes]}, *tables, shares)
