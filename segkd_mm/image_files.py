"""Search for image files in folders."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, is_image_file

SUFFIXES = ', '.join(IMG_EXTENSIONS)


def images_in(folder: Path) -> list[Path]:
    """List the image files in a folder and its subfolders, sorted, without hidden files."""
    return sorted(
        file for file in folder.rglob('*') if is_image_file(file.name) and file.name[0] != '.'
    )
