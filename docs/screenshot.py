"""Take the picture of the Overview that stands in the README, from a demo of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "images" / "overview.png"
CHROMIUMS: Final = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
WIDE: Final = (1280, 860)
BYTES_MOST: Final = 200_000
READY: Final = re.compile(r"Demo ready: (http://\S+)")


def taken(address: str) -> bytes:
    """Return the picture of a page."""
    with sync_playwright() as browsers:
        # As root its sandbox cannot be had; it opens this one page of our own.
        found = next(one for one in CHROMIUMS if one.exists())
        browser = browsers.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        page.goto(address, wait_until="load")
        picture = page.screenshot()
        browser.close()
    return picture


def main() -> int:
    """Start a demo, wait until it is ready, take the picture, end the demo."""
    with TemporaryDirectory() as folder:
        words = [sys.executable, str(ROOT / "tools/sync_invoices.py"), "demo"]
        demo = subprocess.Popen(  # noqa: S603 - our own tool, no shell
            [*words, "--serve", "--port", "0"],
            env={**os.environ, "FEEBRIDGE_HOME": folder},  # noqa: TID251 - the child needs PATH
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert demo.stdout is not None, "asked for above"  # noqa: S101 - narrows the type
        ready = next((found for line in demo.stdout if (found := READY.search(line))), None)
        try:
            if ready is None:
                print("The demo ended before it was ready.")
                return 1
            picture = taken(ready[1])
        finally:
            demo.terminate()
            demo.communicate()
    if len(picture) > BYTES_MOST:
        print(f"The picture has {len(picture):,} bytes; {BYTES_MOST:,} is the most.")
        return 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(picture)
    print(f"{PICTURE.relative_to(ROOT)}: {len(picture):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
