"""mkdocs hook: pages from outside docs/, and links that leave docs/, as they are on GitHub.

The README is the first page, and a few other files of the repository are pages, too. A link to a
file that is not on the site becomes its name: the repository has no address yet to link to.
"""

import re
from os.path import normpath
from pathlib import Path
from posixpath import relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {
    'index.md': 'README.md',
    'configs.md': 'configs/README.md',
    'security.md': 'SECURITY.md',
    'changelog.md': 'CHANGELOG.md',
}
LINK = re.compile(r'(!?)\[([^][]*)\]\(([^)#\s]+)(#[^)\s]*)?\)')
CODE = re.compile(r'(^```.*?^```|`[^`\n]+`)', re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/, and the pictures that they show."""
    root = Path(config.config_file_path).parent
    for uri, name in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(root / name)))
        for mark, _, target, _ in LINK.findall((root / name).read_text()):
            if mark and target.split('/')[0] != 'docs':
                files.append(File.generated(config, target, abs_src_path=str(root / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let each link to a file of the repository lead to its place on the site, if it has one."""
    root = Path(config.config_file_path).parent
    places = {file.abs_src_path: file.src_uri for file in files}

    def on_site(link: re.Match) -> str:
        mark, text, target, anchor = link.groups(default='')
        if ':' in target:
            return link[0]
        path = Path(normpath(Path(page.file.abs_src_path).parent / target))
        if not path.exists():
            raise PluginError(f'{page.file.abs_src_path} links to {path}, which does not exist.')
        if place := places.get(str(path)):
            return f'{mark}[{text}]({relpath(place, str(Path(page.file.src_uri).parent))}{anchor})'
        return f'{text} (`{path.relative_to(root)}`)'

    parts = CODE.split(markdown)
    return ''.join(part if part.startswith('`') else LINK.sub(on_site, part) for part in parts)
