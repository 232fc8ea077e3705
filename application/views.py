"""Builds what only pages ask: Overview, set-up, boards of failures, a run as it goes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from application.rooms import Rooms

if TYPE_CHECKING:
    from application.services.board import Boards
    from application.services.costs import Cost
    from application.services.overview import Overview
    from application.services.picking import Picking
    from application.services.setup import Setup
    from application.services.starting import Starting
    from application.services.watching import Watching


class Views(Rooms):
    """What pages ask beyond the rooms, each made when first asked for."""

    @cached_property
    def picking(self) -> Picking:
        """Many invoices at once."""
        from application.services.picking import Picking

        return Picking(
            reader=self.reader,
            listing=self.listing,
            choosing=self.choosing,
            progress=self.progress,
            plans=self.plans,
            journal=self.journal,
            company=self.company,
            clock=self.world.clock,
        )

    @cached_property
    def overview(self) -> Overview:
        """Everything at one glance."""
        from application.services.overview import Overview

        return Overview(
            reader=self.reader,
            progress=self.progress,
            listing=self.listing,
            causes=self.causes,
            company=self.company,
            runs=self.runs,
            schedule=self.schedule,
            clock=self.world.clock,
            office=self.office,
            setup_left=self._setup_left,
        )

    def _setup_left(self) -> int:
        return self.setup.left()  # which asks Overview in turn, so neither is made with the other

    @cached_property
    def setup(self) -> Setup:
        """Which steps of setting up are done."""
        from application.invoices.model import Environment, ItemPolicy
        from application.services.setup import Setup

        return Setup(
            figures=self.overview.figures,
            company=self.company,
            mapping=self.mapping,
            journal=self.journal,
            looks=self.looks,
            has_keys=self.environment is Environment.SIMULATOR
            or self.settings.quickbooks_client_secret is not None,
            makes_products=self.plans.rules.item_policy is ItemPolicy.CREATE,
            demo=self.place.demo,
        )

    @cached_property
    def boards(self) -> Boards:
        """What has failed, and what to do about it."""
        from application.services.board import Boards

        return Boards(
            causes=self.causes,
            listing=self.listing,
            mapping=self.mapping,
            company=self.company,
            reader=self.reader,
            journal=self.journal,
            flags=self.flags,
            clock=self.world.clock,
        )

    @cached_property
    def starting(self) -> Starting:
        """Whether a run may begin, and what it would send."""
        from application.services.starting import Starting

        return Starting(
            progress=self.progress,
            company=self.company,
            runs=self.runs,
            journal=self.journal,
            batch_size=self.settings.batch_size,
        )

    @cached_property
    def watching(self) -> Watching:
        """How a run stands."""
        from application.services.watching import Watching

        return Watching(
            runs=self.runs,
            events=self.events,
            journal=self.journal,
            clock=self.world.clock,
            per_minute=self.cost(0).per_minute,
        )

    def cost(self, count: int) -> Cost:
        """Return what sending so many invoices asks of QuickBooks."""
        from application.services.costs import cost_of

        return cost_of(
            count,
            bundles_a_minute=self.settings.batches_per_minute,
            requests_a_minute=self.settings.requests_per_minute,
            batch_size=self.settings.batch_size,
            scale=self.world.clock.scale,
        )
