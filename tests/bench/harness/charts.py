# SPDX-License-Identifier: BSL-1.0
#
# Horizontal bars as SVG, readable on a light page and on a dark one: the page's own colours decide.
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, LINE, GAP = 760, 190, 440, 20, 34
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 13px; }
  .bar { fill: #8c959f; } .ours { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .bar { fill: #6e7681; } .ours { fill: #2f81f7; }
  }
"""


def bars(panels):
    """SVG of panels: (title, [(label, value, text, whether it is ours)])."""
    parts, y = [], 0
    for title, lines in panels:
        y += GAP
        parts.append(f'<text class="title" x="0" y="{y - 12}">{escape(title)}</text>')
        largest = max((value for _, value, _, _ in lines), default=0) or 1
        for label, value, text, ours in lines:
            length = max(1.0, BAR * value / largest)
            kind = "bar ours" if ours else "bar"
            parts.append(f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
            parts.append(f'<rect class="{kind}" x="{LABEL}" y="{y + 3}" width="{length:.1f}" '
                         f'height="{LINE - 6}" rx="2"/>')
            parts.append(f'<text x="{LABEL + length + 6:.1f}" y="{y + 14}">{escape(text)}</text>')
            y += LINE
    height = y + 8
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">\n<style>{STYLE}</style>\n'
            + "\n".join(parts) + "\n</svg>\n")
