"""mmengine's backend of local files, made to write files that are whole or not there."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from segkd_mm.files import written_aside


class WholeFileBackend(LocalBackend):
    """Writes aside, syncs and renames; mmengine saves its checkpoints by ``put``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        with written_aside(filepath) as aside:
            aside.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        self.put(obj.encode(encoding), filepath)


register_backend('local', WholeFileBackend, force=True, prefixes='')
