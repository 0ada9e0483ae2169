"""Image files in folders."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, is_image_file

SUFFIXES = ', '.join(IMG_EXTENSIONS)


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder and in those below it, sorted; hidden files are left out."""
    return sorted(
        file for file in folder.rglob('*') if is_image_file(file.name) and file.name[0] != '.'
    )
