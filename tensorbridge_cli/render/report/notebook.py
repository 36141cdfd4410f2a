"""The report as a fragment of HTML for a notebook: a table for each source, and below it the notes.

jinja2 is imported when something is shown: every use of the API imports this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render.report.sections import sections
from tensorbridge_cli.render.text import words

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Trace

# colours follow the notebook's theme: only the outcome has one, and it is said in words too
_TEMPLATE = """\
<div class="tensorbridge">
{% for section in sections %}
<table style="border-collapse: collapse; text-align: left">
<caption style="caption-side: top; text-align: left; color: inherit">
<strong>Source:</strong> {{ section.source }}
{%- if section.fill %}<br><strong>Fill:</strong> {{ fill(section.fill) }}{% endif %}
{%- if section.memory %}<br><strong>Memory:</strong> {{ section.memory }}{% endif %}</caption>
<thead><tr>{% for name in headers %}<th scope="col" style="{{ cell_style }}">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for label, row in section.rows %}
<tr><th scope="row" style="{{ cell_style }}"><code>{{ label }}</code></th>
{%- for cell in cells(row) %}<td style="{{ cell_style }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table>
{% if section.notes %}<ul>
{% for concerned, note in section.notes %}
<li>{{ concerned.count }}
{%- if concerned.labels %}{{ " " if concerned.count }}<code>{{ concerned.labels | join(", ") }}</code>{% endif -%}
: <em>{{ note.lead }}</em>{% if note.text %}: {{ note.text }}{% endif %}</li>
{% endfor %}
</ul>{% endif %}
{% endfor %}
<p>{{ summary }}</p>
</div>
"""

# the notebook's own style may set its cells apart; a page that shows the notebook may have none
_CELL = "text-align: left; vertical-align: top; white-space: nowrap; padding: 0.1em 1em 0.1em 0"


def render(report: Report) -> str:
    """Return ``report`` as HTML without script, style sheet or anything from the network; text is escaped."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TEMPLATE)
    return template.render(
        sections=list(sections(report)),
        headers=words.HEADINGS,
        fill=words.fill,
        cell_style=_CELL,
        cells=words.cells,
        summary=f"{words.counted(report.summary)} {words.versions(report.environment)}",
    )


_TRACE = """\
<div class="tensorbridge">
<table style="border-collapse: collapse; text-align: left">
<thead><tr>{% for name in headers %}<th scope="col" style="{{ cell_style }}">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for site, cells, within in rows %}
<tr>{% for cell in cells %}<td style="{{ cell_style }}">{{ cell }}</td>{% endfor %}
<td style="{{ cell_style }}"><code>{{ (site.source_line or "") | trim }}</code>
{%- if within %} ({{ within }}){% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% if findings %}<ul>
{% for place, finding in findings %}
<li><code>{{ place }}</code>: <em>{{ finding.code }}{% if finding.certainty != "certain" %} (possible){% endif %}</em>:
{{ finding.detail }}{% if finding.accepted is not none %} (accepted: {{ finding.accepted }})
{%- elif finding.remedy %}; instead: <code>{{ finding.remedy }}</code>{% endif %}</li>
{% endfor %}
</ul>{% endif %}
{% for one in unused %}<p><em>unused</em>: {{ one }}</p>
{% endfor %}
<p>{{ total }}</p>
</div>
"""


def trace(traced: Trace) -> str:
    """Return a program's trace as HTML without script, style sheet or anything from the network; text is escaped."""
    from jinja2 import Environment

    from tensorbridge_cli.render.trace import traces

    where = traces.places(traced.sites)
    ids = {site.id: where[site] for site in traced.sites}
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TRACE)
    return template.render(
        headers=(*traces.HEADERS, "Code"),
        cell_style=_CELL,
        rows=[
            (site, [cell.plain for cell in traces.cells(site, where[site])], traces.made_in(site))
            for site in traced.sites
        ],
        findings=[(ids[finding.site], finding) for finding in traced.findings],
        unused=map(traces.accepts_nothing, traced.unused),
        total=traces.total(traced),
    )
