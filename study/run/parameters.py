"""A notebook's parameters: what it declares, and what is passed to it, checked before it runs."""

import ast
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat

from scnlib.errors import first_line


def declared(notebook: Path) -> dict[str, Any]:
    """Name and default of each parameter in the notebook's cell tagged `parameters`.

    Read as Python and not by `papermill.inspect_notebook`, whose patterns lose a parameter with a
    second "=" in its line, as in a comment. Raises `ValueError` naming the notebook if it has no
    such cell or can't be read.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{notebook}: cannot be read as a notebook: {first_line(error)}") from None
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if not tagged:
        raise ValueError(f"{notebook}: no cell is tagged 'parameters', so nothing can be set in it")
    try:
        return _assigned(tagged[0].source)
    except (SyntaxError, ValueError) as error:
        where = f"cell {cells.index(tagged[0]) + 1}, tagged 'parameters'"
        raise ValueError(
            f"{notebook}: {where}, line {getattr(error, 'lineno', None) or 1}: only lines such as "
            'NAME = 3 or NAME: str = "text" may stand in it, with plain values'
        ) from None


def _assigned(source: str) -> dict[str, Any]:
    """Names and plain values that the lines assign. Raises SyntaxError or ValueError for others."""
    defaults = {}
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
            try:
                defaults[target.id] = ast.literal_eval(node.value) if node.value else None
            except ValueError:
                raise SyntaxError("no plain value", ("", node.lineno, 0, "")) from None
    return defaults


def typed(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the types that the notebook declares by its defaults.

    Papermill only warns of a name that is not declared and passes `1e-4` on as text, so that a
    wrong run looks right; here both end, or are put right, before a kernel starts. Raises
    `ValueError` naming the notebook and the parameter.
    """
    defaults = declared(notebook)
    unknown = sorted(set(parameters) - set(defaults))
    if unknown:
        known = ", ".join(defaults)
        raise ValueError(f"{notebook}: no parameter {', '.join(unknown)}; it has {known}")
    return {
        name: _as(value, defaults[name], f"{notebook}: parameter {name}")
        for name, value in parameters.items()
    }


def _as(value: Any, default: Any, where: str) -> Any:
    kind = type(default)
    if default is None or type(value) is kind:
        return value
    read = value
    if isinstance(value, str):  # from a command line: 1e-4 is a float, True a bool
        with suppress(ValueError, SyntaxError):
            read = ast.literal_eval(value)
    if kind is float and type(read) is int:
        read = float(read)
    if type(read) is not kind:
        raise ValueError(f"{where}: {value!r} is not of type {kind.__name__}")
    return read
