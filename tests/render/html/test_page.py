"""The page in a real browser: what is asked of it, and that nothing in it runs or leaves but what should."""

import html

import pytest

from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.diff.traces import compare as compare_traces
from tensorbridge_cli.records.enums import Origin, Outcome
from tensorbridge_cli.records.report import Raised
from tensorbridge_cli.render import PLAIN, Verdicts, render
from tests.render.gallery import GALLERY
from tests.render.html.tools import browser, count, details, many, rows
from tests.render.program import LATER, PROGRAM
from tests.render.tools import CONTRADICTED, load, made_of, row

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{ 7 * 7 }}"
ALL = len(GALLERY.observations) + len(GALLERY.not_applicable)


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.fixture
def opened(chromium, tmp_path):
    """A function that opens a page; an error or a request of the page fails the test."""
    troubles, contexts = [], []

    def said(message):
        if message.type == "error":
            troubles.append(message.text)

    def asked(request):
        if not request.url.startswith(("file:", "blob:")):
            troubles.append(request.url)

    def show(text, anchor="", **options):
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        contexts.append(chromium.new_context(viewport={"width": 1200, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.on("console", said)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", asked)
        page.goto(path.as_uri() + anchor)
        return page

    yield show
    for context in contexts:
        context.close()
    assert troubles == []


def choose(page, facet, value):
    page.locator(f"[data-facet='{facet}']").select_option(value)


# Without a browser -------------------------------------------------------------------------------


def test_every_row_and_every_case_has_its_evidence():
    found = details(render(GALLERY, "html"))
    assert len(found) == ALL
    assert "0x55d0c0de0000" in found[0]
    assert "import torch" in found[0]
    assert "layout channels-last needs 4 or 5 dimensions" in found[-1]


def test_parts_that_are_copies_are_named_if_there_are_any():
    plain, partly = details(render(made_of(row(), row(relation={"copied_parts": ("['mask']",)})), "html"))
    assert "parts that are copies" not in plain
    assert "(['mask'])" in html.unescape(partly)


def test_nothing_of_the_report_is_markup():
    report = made_of(
        row("refused", conversion=HOSTILE, error=Raised(type="E", message=HOSTILE)),
        row(subject={"given": HOSTILE, "origin": Origin.EXPRESSION}),
    )
    text = render(report, "html")
    assert "<img" not in text + "".join(details(text))
    assert text.count("</script>") == 3
    assert "49" not in details(text)[0].partition("Python script")[0]


def test_two_pages_of_one_report_are_the_same():
    assert render(GALLERY, "html") == render(GALLERY, "html")


# In the browser ----------------------------------------------------------------------------------


def test_filters_narrow_the_list_and_the_grid(opened):
    page = opened(render(GALLERY, "html"))
    assert count(page) == f"{ALL} of {ALL}"
    choose(page, "Memory", "copied")
    assert count(page) == f"2 of {ALL}"
    assert page.locator("#grid tbody tr").count() == 2
    choose(page, "Direction", "torch→torch")
    assert count(page) == f"0 of {ALL}"
    page.locator("#clear").click()
    choose(page, "Hazards", "owner-not-kept")
    assert [line[0] for line in rows(page)] == ["torch.utils.dlpack.from_dlpack"]


def test_search_finds_all_words(opened):
    page = opened(render(GALLERY, "html"))
    page.keyboard.press("/")
    page.keyboard.type("as_tensor TORCH→torch")
    assert [line[:2] for line in rows(page)] == [["torch.as_tensor", "torch→torch"]]


def test_sorting_up_down_and_back(opened):
    page = opened(render(made_of(*(row(conversion=name) for name in ("b", "c10", "a", "c9"))), "html"))
    heading = page.locator("[data-sort='Conversion']")
    for order, names in (("ascending", "a b c9 c10"), ("descending", "c10 c9 b a"), ("none", "b c10 a c9")):
        heading.click()
        assert [line[0] for line in rows(page)] == names.split()
        assert page.locator("[role=columnheader]").first.get_attribute("aria-sort") == order


def test_a_cell_opens_to_its_evidence_and_closes(opened):
    page = opened(render(GALLERY, "html"))
    page.locator("#rows > div").first.click()
    dialog = page.locator("dialog[open]")
    text = dialog.inner_text()
    for said in ("torch.from_numpy", "0x55d0c0de0000", "Write source→result", "same storage", "Python script"):
        assert said in text
    assert dialog.locator("svg[role=img]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_report_of_one_row_opens_to_its_evidence(opened):
    page = opened(render(load("shared"), "html"))
    page.locator("dialog[open]").wait_for()
    assert page.locator("#cell-title").inner_text() == "torch.from_numpy numpy→torch"
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_clause_links_to_its_page(opened):
    page = opened(render(GALLERY, "html"))
    page.locator("#rows > div", has_text="torch.asarray(copy=True)").click()
    page.locator("dialog blockquote").wait_for()
    assert page.locator("dialog a").get_attribute("href").startswith("https://docs.pytorch.org/")


def test_the_list_by_keyboard(opened):
    page = opened(render(GALLERY, "html"))
    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#cell-title").inner_text() == "torch.as_tensor numpy→torch"
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.locator("dialog .not-applicable").wait_for()


def test_the_grid_by_keyboard(opened):
    page = opened(render(GALLERY, "html"))
    page.locator("#grid td[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#cell-title").inner_text() == "torch.as_tensor numpy→torch"


def test_a_deep_link_opens_its_cell_and_keeps_its_filters(opened):
    page = opened(render(GALLERY, "html"))
    choose(page, "Memory", "copied")
    page.locator("#rows > div", has_text="torch.tensor").click()
    page.locator("dialog[open]").wait_for()
    anchor = page.evaluate("location.hash")
    again = opened(render(GALLERY, "html"), anchor)
    again.locator("dialog[open]").wait_for()
    assert again.locator("#cell-title").inner_text() == "torch.tensor numpy→torch"
    assert count(again) == f"2 of {ALL}"
    again.reload()
    again.locator("dialog[open]").wait_for()
    assert again.evaluate("location.hash") == anchor


def test_the_script_is_copied(opened):
    page = opened(render(GALLERY, "html"), permissions=["clipboard-read", "clipboard-write"])
    page.locator("#rows > div").first.click()
    page.locator("dialog .copy").first.click()
    page.locator(".copy", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("# ")


def test_light_and_dark(opened):
    page = opened(render(GALLERY, "html"), color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.locator("#theme").click()
    assert (dark, page.evaluate(paper)) == ("rgb(13, 17, 23)", "rgb(255, 255, 255)")


def test_a_phone_never_scrolls_sideways(opened):
    page = opened(render(GALLERY, "html"))
    page.set_viewport_size({"width": 360, "height": 740})
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    page.locator("#rows > div").first.click()
    page.locator("dialog[open]").wait_for()
    assert page.evaluate(wide)
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("found", [GALLERY, PROGRAM], ids=["report", "trace"])
def test_no_row_is_cut(opened, found, width):
    page = opened(render(found, "html"))
    page.set_viewport_size({"width": width, "height": 740})
    cut = "[...document.querySelectorAll('#rows > div')].filter((row) => row.scrollHeight > row.clientHeight)"
    assert page.evaluate(f"{cut}.map((row) => row.innerText)") == []


def test_hostile_text_is_shown_and_runs_nothing(opened):
    report = made_of(row("refused", conversion=HOSTILE, error=Raised(type="E", message=HOSTILE)), row())
    page = opened(render(report, "html"))
    page.locator("#rows > div").first.click()
    page.locator("dialog[open]").wait_for()
    assert HOSTILE in page.locator("#cell-title").inner_text()
    assert page.title() == "tensorbridge report"
    assert page.locator("img").count() == 0


def test_the_policy_of_the_page_lets_nothing_else_run(chromium, tmp_path):
    path = tmp_path / "page.html"
    injected = "<script>document.title = 'owned'</script><img src='https://example.org/x.png'>"
    path.write_text(render(load("shared"), "html").replace("</main>", f"{injected}</main>"), encoding="utf-8")
    page = chromium.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(path.as_uri())
    assert page.title() == "tensorbridge report"
    assert sum("Content Security Policy" in text for text in refused) == 2
    page.close()


def test_many_cells_keep_the_document_small(opened):
    page = opened(render(many(2_000), "html"))
    assert count(page) == "2,000 of 2,000"
    assert page.locator("#rows > div").count() < 60
    page.locator("#list").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    assert page.locator("#cell-title").inner_text() == "torch.f39 torch→torch"
    page.keyboard.press("Escape")
    choose(page, "Dtype", "int7")
    choose(page, "Memory", "shared")
    page.locator("#search").fill("layout-1 f1")
    shown = rows(page)
    assert shown
    assert {line[2] for line in shown} == {"int7"}
    assert all(line[0].startswith("torch.f1") for line in shown)


# A check and a comparison ------------------------------------------------------------------------


def test_a_check_shows_first_what_was_not_met(opened):
    report = made_of(row(contract=CONTRADICTED), row(conversion="torch.tensor"))
    page = opened(render(Verdicts(report, "the documentation", ()), "html", PLAIN))
    assert count(page) == "1 of 2"
    assert page.locator("#grid td.broken").inner_text() == "s"
    page.locator("#clear").click()
    assert count(page) == "2 of 2"


def test_a_comparison_shows_what_changed(opened):
    after = made_of(row(outcome=Outcome.COPIED), row(conversion="torch.tensor"))
    page = opened(render(compare(of_report(made_of(row())), of_report(after)), "html", PLAIN))
    assert [line[-2:] for line in rows(page)] == [["changed", "memory"], ["new", "memory"]]
    page.locator("#rows > div").first.click()
    assert "shared\tcopied" in page.locator("dialog table").inner_text()


def test_a_comparison_of_traces_shows_its_lines(opened):
    page = opened(render(compare_traces(PROGRAM, LATER), "html", PLAIN))
    assert len(rows(page)) == int(count(page).split()[0]) > 0
    assert page.locator("#overview").is_hidden()
