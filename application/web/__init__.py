"""The pages people open: a door beside `api` that asks services and decides nothing.

How to add a screen (say, `/runs`):

1. Two rows in `api/table.PAGES`, `page=True`: `Row("GET", "/runs", V, page=True)`. The guard then
   lets people in by session, refuses what comes from elsewhere, and checks the token of every form.
2. `web/runs.py` with `router = APIRouter(include_in_schema=False)` and one function an address;
   its module in `app.SCREENS`, its line in docs/explanation/architecture.md. The link in the head
   of every page, and links from others (`visit.has("/runs")`), then appear by themselves.
3. `templates/runs.html` that extends `base.html`; its words in `texts/en.json`.
4. A test in tests/browser.

    @router.get("/runs")
    def runs(visit: Here) -> Response:
        return page(visit, "runs.html", runs=visit.services.runs.recent(limit=20))

    @router.post("/runs")
    def start(visit: Here) -> Response:
        if not visit.field("size").isdigit():
            problems = [Problem("size", visit.text("runs.size.wrong"))]
            return page(visit, "runs.html", status=422, problems=problems, …)
        run = visit.services.ordering.batch(asked=Asked(by=visit.by))
        return visit.go(f"/runs/{run.id}", say="runs.started", id=run.id)

A `Stop` that nobody catches becomes a page of its own (`web/failing.py`), status and words from the
catalogue of causes; `problem_of(stop)` makes it a problem of the form instead.

Helpers: `page(visit, "x.html", status=…, **values)`, `rendered(…)` for a part (SSE, htmx);
`visit.field(name)`, `.fields(name)`, `.by` (for the audit), `.hidden` (mask e-mail and phone),
`.may("officer")`, `.has(path)`, `.text(key, **facts)`, `.go(path, say=key, **facts)` (303, and a
message once), `missing(visit, name="key.of.text")`, `explain(code, facts)`.

In templates: `t("key", count=3, amount=decimal, at=instant)` for every word, plural by `count`;
`f.count(1250)`, `f.money(d)` (column names the currency), `f.amount(d)`, `f.day(d)`,
`f.moment(at)`, `f.clock(at)`, `f.lasted(span)`, `f.percent(d)`; `column(label, number=true)`,
`explain(code, {})`, `visit`, `shell`, and the macros `m` (imported by base.html; where a child
sees none: `{% import "parts/macros.html" as m with context %}`):

    {{ m.status_chip("failed") }}  {{ m.flag_chip("held") }}  {{ m.icon("warn") }}  {{ m.badge(3) }}
    {% set columns = [column(t("runs.run")), column(t("runs.failed"), number=true)] %}
    {% call m.table(t("runs.caption"), columns) %}
    <tr role="row">{{ m.cell(columns[0], run.id, href="/runs/" ~ run.id) }}
    {{ m.cell(columns[1], "3") }}</tr>
    {% endcall %}                                     (m.cell_of(column) as a call block for a chip)
    {% call m.cause_card(explain(code, {}), count=6, amount=total, since=at) %}buttons{% endcall %}
    <form method="post" action="/x">{{ m.token() }}{{ m.field("size", t("x.size"), value=size) }}
    {{ m.button(t("x.send", count=6), kind="main", off="") }}</form>     (off: why it is disabled)
    {{ m.button_link("/runs", t("x.open")) }}
    {% call m.action("/runs/4/pause", t("x.pause"), kind="plain") %}hidden fields{% endcall %}
    {{ m.pager(newer="", older="/runs?cursor=…") }}
    {% call m.empty(t("runs.none")) %}<p>…</p>{% endcall %}
    {{ m.bars(caption, rows, value_label, text_label) }}      (rows: see the macro; with its table)
    {{ m.by_api("POST", "/api/v1/sync/batch", '{"batch_size": 50}') }}
    {{ m.demo_fix(code, invoice.id, "/invoices/12345") }}  (in the demo only; none: the first)
    {{ m.ticked(told.remedy) }}                            (what stands between backticks is code)
    page(visit, "confirm.html", title=…, lines=[…], action="/x", label=…, fields={…}, back="/",
         kind="main")

What sends shows count, amount, company and environment first, and above 100 goes by `confirm.html`.
No inline script or style (the CSP refuses both); no `|safe`; hooks for `app.js` are `data-copy`,
`data-show`, `data-dialog`, `data-close`, `data-calm` (renews itself while nobody is busy in it),
`data-news` (told to screen readers when it changes), `data-follow`.

Tests (tests/browser/conftest.py): `demo` (a served university after a full run, shared by a
module), `waiting_demo` (nothing sent yet), `page` (fails on console errors, requests elsewhere, CSP
violations), `plain_page` (without JavaScript), `narrow_page` (390 px), `check_accessible(page)`.
"""
