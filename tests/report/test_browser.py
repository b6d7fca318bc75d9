"""The page in a real browser with the network off: laptop and phone, light and dark."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MOST_ROWS = 200  # of report.js
SLOWEST_MS = 120_000  # on a machine that does other things too
SCREENS = {"laptop": (1280, 800, "light"), "phone": (390, 844, "dark")}

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]
playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        browser = started.chromium.launch(**options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(render, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=SCREENS)
def page(request, browser, address):
    """The page on one screen; told errors and requests make the test fail at its end."""
    width, height, scheme = SCREENS[request.param]
    size = {"width": width, "height": height}
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_default_timeout(SLOWEST_MS)
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert told == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


def shown(page):
    return page.locator("#claims-table tbody tr:visible")


def test_it_opens_without_a_word_or_a_request_and_fits_the_screen(page):
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    decoded = "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode())))"
    assert len(page.evaluate(decoded)) == 3  # fails where one is no image


def test_claims_filter_by_verdict_chapter_and_words(page, tables):
    claims = tables["claims"]
    assert shown(page).count() == (claims["verdict"] != "not_run").sum()
    page.select_option("select[name=verdict]", "")
    assert shown(page).count() == len(claims)
    page.select_option("select[name=chapter]", "colocation")
    assert shown(page).count() == (claims["chapter"] == "colocation").sum()
    page.select_option("select[name=chapter]", "")
    page.fill("#claims input", "WideResNet svhn")
    assert 0 < shown(page).count() < 10
    assert page.locator("#claims output").inner_text().startswith(f"{shown(page).count()} of ")


def test_claims_sort_by_number_both_ways_with_the_keyboard(page, tables):
    page.select_option("select[name=verdict]", "")
    page.locator("#claims-table th button").nth(1).focus()
    column = (
        "[...document.querySelectorAll('#claims-table tbody tr')].map(r => r.cells[1].dataset.sort)"
    )
    for direction in ("ascending", "descending"):
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#claims-table th:nth-child(2)[aria-sort={direction}]")
        keys = page.evaluate(column)
        values = [float(key) for key in keys if key]
        assert values == sorted(values, reverse=direction == "descending")
        assert len(values) == tables["claims"]["published"].notna().sum()
        assert not any(keys[len(values) :])


def test_the_data_of_a_figure_open_as_a_table(page, drawings):
    page.locator("#latency_vs_load details.data summary").click()
    rows = page.locator("#latency_vs_load details.data tbody tr")
    rows.first.wait_for()  # the page draws the table when it is told of the opening
    lines = drawings["latency_vs_load"].csv.decode().splitlines()
    assert rows.count() == min(len(lines) - 1, MOST_ROWS)
    head = page.locator("#latency_vs_load details.data th").all_inner_texts()
    assert head == lines[0].split(",")
    assert rows.first.locator("td").count() == len(head)


def test_a_link_to_a_claim_that_is_filtered_away_shows_it(page):
    page.select_option("select[name=verdict]", "not_run")
    link = page.locator("ul.came a").first
    target = link.get_attribute("href")
    link.click()
    page.wait_for_function("id => !document.getElementById(id).hidden", arg=target[1:])


def test_axe_finds_no_violation(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    boxes = "[...document.querySelectorAll('details.data [data-from]')]"
    page.wait_for_function(f"{boxes}.every(box => box.firstElementChild)")  # the data are there
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []
