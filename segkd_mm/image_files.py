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
    """
    files = (f for f in folder.rglob('*') if f.name[0] != '.' and without not in f.parents)
    files = sorted(f for f in files if is_image_file(f.name) or f.suffix.lower() == ARRAY)
    return [f for f in files if is_image_file(f.name)] or files
