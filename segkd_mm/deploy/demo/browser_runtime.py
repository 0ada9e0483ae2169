"""ONNX Runtime Web: one pinned version, downloaded once, checked, and the files a page needs."""

import shutil
import tarfile
from base64 import b64encode
from hashlib import sha512
from http.client import HTTPException
from pathlib import Path

import torch

from segkd_mm.files import written_aside

VERSION = '1.30.0'
URL = f'https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz'
# As the registry gives it: `npm view onnxruntime-web@VERSION dist.integrity`.
SHA512 = 'q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
# The interface, and the CPU runtime with its loader.
FILES = 'ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'


def runtime_archive(given: Path | None = None) -> Path:
    """The archive of ONNX Runtime Web, downloaded unless it is given or in torch.hub's folder.

    Args:
        given: The archive, where the user has it.

    Raises:
        FileNotFoundError: The given file does not exist.
        RuntimeError: The archive cannot be downloaded, or its checksum is another.
    """
    if given:
        _require_integrity(given)
        return given
    path = cached_archive()
    if not path.exists():
        _download(path)
    _require_integrity(path)
    return path


def cached_archive() -> Path:
    """Where the downloaded archive lies."""
    return Path(torch.hub.get_dir(), 'onnxruntime-web', f'{VERSION}.tgz')


def unpack_runtime(archive: Path, folder: Path) -> None:
    """Write the files that a page needs into a folder, under names of :data:`FILES` alone."""
    with tarfile.open(archive, 'r:gz') as tar:
        # In the order of the archive: a step back would unpack it from its start again.
        for member in tar:
            path = Path(member.name)
            if path.parent.as_posix() == 'package/dist' and path.name in FILES and member.isfile():
                with tar.extractfile(member) as source, (folder / path.name).open('wb') as target:
                    shutil.copyfileobj(source, target)


def _download(path: Path) -> None:
    with written_aside(path) as aside:
        print(f'Downloading {URL} to {path}')
        try:
            torch.hub.download_url_to_file(URL, str(aside))
        except (OSError, HTTPException) as error:
            raise RuntimeError(
                f'Could not download {URL} ({error}). Get this file where the network can be '
                f'reached, as by `npm pack onnxruntime-web@{VERSION}`, and give it: --runtime '
                f'{Path(URL).name}'
            ) from error
        _require_integrity(aside)


def _require_integrity(archive: Path) -> None:
    if not archive.is_file():
        raise FileNotFoundError(f'No file at {archive}; expected the archive {URL}')
    # In one piece: hashlib.file_digest is not in Python 3.10.
    found = b64encode(sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise RuntimeError(
            f'{archive} is not onnxruntime-web {VERSION}, or is damaged: its SHA-512 is {found}, '
            f'expected {SHA512}. Remove it, and give the file of {URL}: --runtime FILE.tgz'
        )
