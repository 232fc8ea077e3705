"""What stands under `data` in the answers about the demo's controls."""

from typing import Literal

from application.api.shapes import Shape


class DemoControl(Shape):
    """One thing the demo lets people break or mend."""

    name: str
    title: str
    does: str
    see: str
    lasts: bool
    takes_invoice: bool
    state: Literal["off", "on", "unavailable"]
    note: str | None


class DemoControls(Shape):
    """Everything the demo lets people break or mend."""

    controls: list[DemoControl]
