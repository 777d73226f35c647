"""Markdown and executed notebooks to HTML that needs no script and fetches nothing."""

import base64
import html
import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


class _Renderer(IPythonRenderer):
    """Markdown to HTML, its formulas drawn."""

    def block_math(self, body: str) -> str:
        return f'<span class="display">{formula(body)}</span>'

    def inline_math(self, body: str) -> str:
        return formula(body)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context, source: str) -> str:
        return html_of_markdown(source, context.get("cell", {}).get("attachments", {}))


def html_of_markdown(source: str, attachments: dict | None = None) -> str:
    """The HTML of a Markdown text; `attachments` are a cell's pictures."""
    renderer = _Renderer(escape=False, exclude_anchor_links=True, attachments=attachments)
    return MarkdownWithMath(renderer=renderer).render(source)


@lru_cache
def formula(latex: str) -> str:
    """An `img` of a formula with its LaTeX as alt text; LaTeX in `code` if it can't be drawn."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    source, size, file = " ".join(latex.split()), 12, BytesIO()
    drawn = "$" + re.sub(r"\\sqrt\s*(\w)", r"\\sqrt{\1}", source) + "$"  # mathtext wants braces
    try:
        with rc_context({"mathtext.fontset": "cm", "svg.fonttype": "path", "svg.hashsalt": "site"}):
            font = FontProperties(size=size)
            width, height, depth, *_ = MathTextParser("path").parse(drawn, 72, font)
            figure = Figure(figsize=((width + 1) / 72, (height + 1) / 72))
            figure.text(0, (depth + 0.5) / (height + 1), drawn, fontsize=size)
            nothing = dict.fromkeys(("Date", "Creator"))
            figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    except ValueError:  # not part of matplotlib's mathtext
        return f'<code class="math">{html.escape(source)}</code>'
    # In em, so that it grows with the text and stands on its line.
    style = f"height: {(height + 1) / size:.2f}em; vertical-align: {-(depth + 0.5) / size:.2f}em"
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img class="math" alt="{html.escape(source)}" style="{style}" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def html_of_notebook(path: Path) -> str:
    """The HTML of an executed notebook's cells."""
    book = nbformat.read(path, as_version=4)
    for cell in (cell for cell in book.cells if "outputs" in cell):
        for data in (output.data for output in cell.outputs if "data" in output):
            if "text/latex" in data:
                data["text/markdown"] = data.pop("text/latex")
            for kind in [kind for kind in data if "javascript" in kind or "widget" in kind]:
                del data[kind]  # these need libraries from elsewhere
        cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    # "basic" is the cells alone: no page around them that fetches MathJax, require.js or jQuery.
    exporter = _Exporter(template_name="basic")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    return exporter.from_notebook_node(book)[0]
