"""The page shows as `text::safe::seen` does: every character, and some texts."""

import json
import pathlib
import sys

from page import browser

COMPARE = """
({ ranges, texts }) => {
  const wrong = [];
  let range = 0;
  for (let c = 0; c < 0x110000; c += 1) {
    if (c >= 0xd800 && c < 0xe000) continue;
    while (range < ranges.length && ranges[range][1] < c) range += 1;
    const isUnseen = range < ranges.length && ranges[range][0] <= c;
    const text = String.fromCodePoint(c);
    if ((seen(text) !== text) !== isUnseen) wrong.push(c.toString(16));
  }
  for (const [text, want] of texts) if (seen(text) !== want) wrong.push(text);
  return wrong.slice(0, 20);
}
"""


def main():
    source, want = (pathlib.Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3])
    with browser() as chromium:
        page = chromium.new_page()
        wrong = page.evaluate(f"(given) => {{ {source}; return ({COMPARE})(given); }}", json.loads(want))
        assert not wrong, wrong


main()
