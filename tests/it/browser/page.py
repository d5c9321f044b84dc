"""A report in Debian's chromium: whatever it asks for, says or stumbles over is a failure."""

import contextlib
import os
import time

from playwright.sync_api import sync_playwright

PAGES = ["Summary", "Findings", "Labels", "Access", "Timeline", "People", "Log health"]


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--headless=new", "--no-sandbox"]
        )


def opened(browser, path, **options):
    """The report, with an ear for everything that it must not do."""
    options.setdefault("viewport", {"width": 1400, "height": 900})
    page = browser.new_context(**options).new_page()
    page.heard = []
    url = "file://" + path

    def asked(request):
        if request.url.split("#")[0] != url and not request.url.startswith("data:"):
            page.heard.append("request " + request.url)

    page.on("request", asked)
    page.on("pageerror", lambda error: page.heard.append(f"error {error}"))
    page.on("dialog", lambda dialog: page.heard.append("dialog " + dialog.message))
    page.on("popup", lambda other: page.heard.append("window " + other.url))
    page.on("console", lambda line: page.heard.append(f"{line.type} {line.text}"))
    page.goto(url)
    return page


def until(what, seconds=20):
    """Waits until something is so. (Playwright's own way evaluates text, which the policy of the page forbids.)"""
    end = time.time() + seconds
    while not what():
        assert time.time() < end, "it did not come to pass"
        time.sleep(0.02)


def go(page, name):
    page.locator("#pages a", has_text=name).click()
    until(lambda: page.locator("#main h1").inner_text() == name)


def told(page):
    return page.locator(".told").first.inner_text()


def silent(page):
    assert not page.heard, page.heard
