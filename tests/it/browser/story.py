"""The report of sample-data: filters, search, sorting, sheets, pictures, keys, paper, phones, and readers without scripts."""

import sys

from page import PAGES, browser, go, opened, silent, told, until

PATH = sys.argv[1]


def rows(page, cell):
    return page.locator(f".pad .row .{cell}").all_inner_texts()


def filters(page):
    go(page, "Findings")
    assert told(page) == "80 findings", told(page)
    page.get_by_role("button", name="High 9").click()
    until(lambda: told(page) == "9 of 80 findings")
    assert set(rows(page, "sv")) == {"High"}, rows(page, "sv")
    assert "severity=High" in page.url
    page.go_back()
    until(lambda: page.locator("#main h1").inner_text() == "Summary")
    page.go_forward()
    until(lambda: told(page) == "9 of 80 findings")
    page.get_by_role("button", name="Clear all").click()
    until(lambda: told(page) == "80 findings")

    page.fill("#search", "IRONSIDE risky-signin-then")
    until(lambda: told(page) == "1 of 80 findings")
    assert "ivan.ironside@contoso.com" in rows(page, "wh")[0]
    page.fill("#search", "no such words")
    until(lambda: told(page) == "0 of 80 findings")
    page.fill("#search", "")
    until(lambda: told(page) == "80 findings")

    rule = page.get_by_label("Filter by rule")
    label = next(text for text in rule.locator("option").all_inner_texts() if text.endswith("(41)"))
    rule.select_option(label=label)
    until(lambda: told(page) == "41 of 80 findings")
    page.locator(".chosen .on", has_text="rule").click()
    until(lambda: told(page) == "80 findings")

    page.get_by_label("Filter by tactic").select_option(index=1)
    until(lambda: told(page) != "80 findings")
    page.get_by_role("button", name="Clear all").click()

    user = page.get_by_label("Filter by user")
    user.fill("Trudy.Tryer@fabrikam.com")
    user.press("Enter")
    until(lambda: told(page) == "8 of 80 findings")
    assert all("trudy" in who for who in rows(page, "wh"))
    # The same choice holds for the timeline and for people.
    go(page, "Timeline")
    assert " of " in told(page), told(page)
    assert all("trudy" in who for who in rows(page, "wh"))
    go(page, "People")
    assert page.locator(".page.people tbody tr").count() == 1
    go(page, "Findings")
    page.get_by_role("button", name="Clear all").click()

    page.get_by_label("From day").fill("2026-05-14")
    page.get_by_label("To day").fill("2026-05-14")
    until(lambda: told(page).endswith(" of 80 findings"))
    assert all(when.startswith("2026-05-14") for when in rows(page, "tm"))
    page.get_by_role("button", name="Clear all").click()
    until(lambda: told(page) == "80 findings")


def sorting(page):
    heads = page.locator(".findings-list [role=columnheader]")
    when = heads.filter(has_text="When")
    for order in ["ascending", "descending"]:
        when.get_by_role("button").click()
        assert when.get_attribute("aria-sort") == order
        times = rows(page, "tm")
        assert times == sorted(times, reverse=order == "descending"), times
    heads.filter(has_text="No.").get_by_role("button").click()
    heads.filter(has_text="No.").get_by_role("button").click()


def sheet(page):
    page.locator(".pad .row").nth(2).click()
    shown = page.locator("dialog[open]")
    text = shown.inner_text()
    for part in ["Why it matters", "When it is harmless", "What it is about", "Evidence", "SHA-256", "coldtrail sql -a", "_Record ="]:
        assert part in text, part
    shown.get_by_role("button", name="Next").click()
    until(lambda: "finding 4 of 80" in shown.locator(".kicker").inner_text())
    page.keyboard.press("Escape")
    until(lambda: page.locator("dialog[open]").count() == 0)
    # The focus is on the row that was shown last.
    until(lambda: page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "5")


def keys(page):
    """A finding is reached, read and left without a mouse."""
    page.evaluate("location.hash = '#summary'")
    until(lambda: page.locator("#main h1").inner_text() == "Summary")
    page.evaluate("document.activeElement.blur()")

    def tab_to(what):
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({what!r})"):
                return
        raise AssertionError(f"no way to {what} by Tab")

    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    until(lambda: page.evaluate("document.activeElement.id") == "main")
    page.evaluate("document.activeElement.blur()")
    tab_to("#pages a[href='#findings']")
    page.keyboard.press("Enter")
    until(lambda: page.locator("#main h1").inner_text() == "Findings")
    tab_to(".pad .row")
    for key in ["ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "ArrowDown"]:
        page.keyboard.press(key)
    until(lambda: page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "3")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] .kicker").inner_text().endswith("finding 2 of 80")
    # Tab stays within the sheet.
    for _ in range(12):
        page.keyboard.press("Tab")
        inside = page.evaluate("document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
        assert inside
    page.keyboard.press("Escape")
    until(lambda: page.locator("dialog[open]").count() == 0)
    until(lambda: page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "3")
    page.keyboard.press("/")
    until(lambda: page.evaluate("document.activeElement.id") == "search")


def pictures(page):
    go(page, "Labels")
    figure = page.locator("figure.chart", has_text="Label actions").first
    plot = figure.locator(".plot")
    plot.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert "2026" in plot.get_attribute("aria-valuetext"), plot.get_attribute("aria-valuetext")
    page.keyboard.press("Escape")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "2026" in figure.locator(".tip").inner_text()
    # What the picture says is in words, and in a table behind it.
    assert "in all" in figure.locator("figcaption").inner_text()
    figure.locator("summary").click()
    until(lambda: figure.locator("tbody tr").count() > 5)
    one = figure.locator(".legend button").first
    one.click()
    assert one.get_attribute("aria-pressed") == "false"
    one.click()
    assert page.locator(".flows path.band").count() > 2
    plot.click()
    until(lambda: page.locator("#main h1").inner_text() == "Timeline")
    assert "from=2026-" in page.url, page.url
    page.get_by_role("button", name="Clear all").click()


def events(page):
    """Single events open, too; the next is a key away."""
    for name, rows in [("Timeline", ".timeline-list"), ("Labels", ".lowered-list"), ("Access", ".denied-list")]:
        go(page, name)
        page.locator(f"{rows} .pad .row").first.click()
        shown = page.locator("dialog[open]")
        before = shown.inner_text()
        assert "_IngestId =" in before and "SHA-256" in before, before
        shown.get_by_role("button", name="Next").click()
        until(lambda: shown.inner_text() != before)
        page.keyboard.press("Escape")
        until(lambda: page.locator("dialog[open]").count() == 0)
        until(lambda: page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "3")


def people(page):
    go(page, "People")
    page.get_by_role("button", name="frank.fletcher@contoso.com").or_(page.get_by_role("button", name="Frank Fletcher")).first.click()
    until(lambda: page.url.endswith("#person/frank.fletcher%40contoso.com"))
    text = page.locator("#main").inner_text()
    for part in ["frank.fletcher@contoso.com", "Findings", "Label actions", "Sign-ins"]:
        assert part in text, part
    # Such a page is printed alone.
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".leaf").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.go_back()
    until(lambda: page.locator("#main h1").inner_text() == "People")


def whole(page):
    """Each page stands, says something, and names what can be pressed."""
    for name in PAGES:
        go(page, name)
        assert len(page.locator("#main").inner_text()) > 200, name
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, a, select, input')].filter((e) => !(e.innerText || e.getAttribute('aria-label') || e.title || e.placeholder || e.labels?.length || e.textContent).trim?.()).map((e) => e.outerHTML)"
        )
        assert not nameless, nameless
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids)), ids
        assert page.locator("#pages [aria-current=page]").inner_text().startswith(name)
    health = page.locator("#main").inner_text()
    for part in ["SHA-256", "Quarantin", "Gaps", "OneDrive", "Rules"]:
        assert part in health, part


def colours(page):
    def paper():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_role("button", name="Dark").click()
    dark = paper()
    page.get_by_role("button", name="Light").click()
    assert paper() != dark
    page.get_by_role("button", name="Auto").click()
    page.emulate_media(color_scheme="dark")
    assert paper() == dark
    page.emulate_media(color_scheme="light")


def paper(page):
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    text = page.locator("#main").inner_text()
    assert all(name in text for name in PAGES)
    assert page.locator(".printed-sheet").count() == 20
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".printed").count() == 0
    assert len(page.pdf(prefer_css_page_size=True)) > 50_000


def main():
    with browser() as chromium:
        page = opened(chromium, PATH)
        for part in [filters, sorting, sheet, keys, pictures, events, people, whole, colours, paper]:
            print(part.__name__)
            part(page)
            silent(page)

        phone = opened(chromium, PATH, viewport={"width": 390, "height": 844})
        for name in PAGES:
            go(phone, name)
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390, name
        silent(phone)

        bare = opened(chromium, PATH, java_script_enabled=False)
        text = bare.locator("main").inner_text()
        for part in ["Key figures", "80", "Risky sign-in followed by removed or lowered labels", "ivan.ironside@contoso.com"]:
            assert part in text, part


main()
