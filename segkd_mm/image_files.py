"""Search for image files in folders."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, is_image_file

ARRAY = '.npy'
SUFFIXES = ', '.join((*IMG_EXTENSIONS, ARRAY))


def images_in(folder: Path) -> list[Path]:
    """List the image files in a folder and its subfolders, sorted, without hidden files.

    Where there is no other image, these are the .npy files.
    """
    files = sorted(file for file in folder.rglob('*') if file.name[0] != '.')
    images = [file for file in files if is_image_file(file.name)]
    return images or [file for file in files if file.suffix.lower() == ARRAY]
