"""Search for image files in folders."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, is_image_file

ARRAY = '.npy'
PICTURES = ', '.join(IMG_EXTENSIONS)
SUFFIXES = f'{PICTURES}, {ARRAY}'


def images_in(folder: Path, without: Path | None = None) -> list[Path]:
    """List the image files in a folder and its subfolders, sorted, without hidden files.

    Where there is no other image, these are the .npy files.

    Args:
        folder: Where to look.
        without: A folder whose files are left out.

    Raises:
        ValueError: What has the name of an image is no file.
    """
    files = (f for f in folder.rglob('*') if f.name[0] != '.' and without not in f.parents)
    files = sorted(f for f in files if is_image_file(f.name) or f.suffix.lower() == ARRAY)
    if odd := [file for file in files if not file.is_file()]:
        raise ValueError(f'{odd[0]}: found {_kind(odd[0])}, expected an image file. Remove it.')
    return [f for f in files if is_image_file(f.name)] or files


def _kind(path: Path) -> str:
    """What stands at a path in place of a file. To open a pipe would wait for ever."""
    if path.is_dir():
        return 'a folder'
    return 'a pipe or a device' if path.exists() else 'a link to a file that does not exist'
