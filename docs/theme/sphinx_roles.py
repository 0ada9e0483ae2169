"""griffe extension: Sphinx roles in docstrings, such as :func:`name`, become links."""

import re

from griffe import Extension, GriffeLoader, NameResolutionError, Object

ROLE = re.compile(r':(?:class|data|func|meth|mod):`~?([\w.]+)`')


class SphinxRoles(Extension):
    """A name is a link where a page of the reference has it, else code."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **kwargs: object) -> None:
        """Rewrite the docstring of each object, once its package is loaded."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(
                lambda role: (
                    f'<autoref identifier="{full_name(obj, role[1])}" optional>'
                    f'<code>{role[1].rsplit(".", 1)[-1]}</code></autoref>'
                ),
                obj.docstring.value,
            )


def full_name(obj: Object, name: str) -> str:
    """The name with its modules, as seen from the object whose docstring names it."""
    try:
        return name if name.startswith('segkd_mm.') else obj.resolve(name)
    except NameResolutionError:
        return name
