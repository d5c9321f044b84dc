"""A report of texts that want to be more than that: markup, scripts, formulas, templates, and all that nobody sees."""

import sys
import unicodedata

from page import PAGES, browser, go, opened, silent, until

PATH = sys.argv[1]


def unseen(text):
    """What of a text nobody sees. Ends of lines and tabs are those of the layout."""
    return {hex(ord(c)) for c in text if c not in "\n\t" and (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co") or ord(c) in (0x2800, 0x3164, 0x115F, 0x180B, 0xFE0F, 0xE0100))}


def judge(page, name):
    # Two blocks of script: the data and the report's own. Nothing else of the kind was made of a text.
    assert page.locator("script").count() == 2, name
    assert page.locator("#main img, #main iframe, #main object, #main embed, #main link, #main style, dialog img, dialog script").count() == 0, name
    assert page.evaluate("[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((a) => a.startsWith('on') || a === 'srcdoc')") == [], name
    away = page.evaluate("[...document.querySelectorAll('[href], [src], [action]')].map((e) => e.getAttribute('href') || e.getAttribute('src') || e.getAttribute('action')).filter((a) => !a.startsWith('#') && !a.startsWith('data:'))")
    assert away == [], (name, away)
    assert page.evaluate("window.pwned") is None, name
    text = page.locator("body").inner_text()
    assert not unseen(text), (name, unseen(text))
    hidden = page.evaluate("[...document.querySelectorAll('[title], [aria-label]')].map((e) => (e.title || '') + (e.getAttribute('aria-label') || '')).join('')")
    assert not unseen(hidden), (name, unseen(hidden))
    return text


def main():
    with browser() as chromium:
        page = opened(chromium, PATH)
        texts = {}
        for name in PAGES:
            go(page, name)
            texts[name] = judge(page, name)
        go(page, "Findings")
        everything = ""
        for at in range(min(6, page.locator(".pad .row").count())):
            page.locator(".pad .row").nth(at).click()
            for fold in page.locator("dialog details:not([open]) > summary").all():
                fold.click()
            everything += judge(page, f"sheet {at}")
            page.keyboard.press("Escape")
            until(lambda: page.locator("dialog[open]").count() == 0)
        go(page, "Labels")
        for row in page.locator(".lowered-list .pad .row").all()[:4]:
            row.click()
            everything += judge(page, "lowered label")
            page.keyboard.press("Escape")
            until(lambda: page.locator("dialog[open]").count() == 0)
        everything += "".join(texts.values())
        for part in ["<script>", "onerror=", "{{7*7}}", "=cmd|", "\u27e6U+202E\u27e7", "\u27e6U+200B\u27e7"]:
            assert part in everything, part
        assert "characters more" in everything or "more characters" in everything
        assert "javascript:" in everything
        page.fill("#search", "<img src=x onerror=window.pwned=1>")
        judge(page, "search")
        page.evaluate("location.hash = '#person/' + encodeURIComponent('<img src=x onerror=window.pwned=1>')")
        until(lambda: "no page" in page.locator("#main").inner_text())
        judge(page, "person")
        page.evaluate("location.hash = '#findings?user=%00%E2%80%AE<script>&from=x&severity=Nonsense&q=%'")
        until(lambda: page.locator("#main h1").inner_text() == "Findings")
        judge(page, "address")
        silent(page)

        bare = opened(chromium, PATH, java_script_enabled=False)
        assert not unseen(bare.locator("body").inner_text())
        assert bare.locator("main img, main a").count() == 0


main()
