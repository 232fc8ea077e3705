"""One send to a peer in a process of its own, which tells its class and its greatest weight."""

import json
import re
import sys
from pathlib import Path

from tests.rooms.test_hostile_peer import class_of
from tests.rooms.test_quickbooks_peer import Setting

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def main(url: str) -> None:
    setting = Setting(url, read_timeout_ms=20_000)
    found = class_of(setting.outcome())
    setting.client.close()
    peak = _PEAK.search(Path("/proc/self/status").read_text(encoding="ascii"))
    assert peak is not None
    told = {"class": found, "peak_mb": int(peak.group(1)) // 1024}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
