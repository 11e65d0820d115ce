"""Whether a candidate has to wait because checks of templates are missing (R17)."""

from __future__ import annotations

from canarium.core.context.check_templates import Missing
from canarium.core.context.context import RolloutContext


def missing_checks(ctx: RolloutContext) -> Missing | None:
    """Returns why the candidate must not rise: reason and text; None while nothing is missing.

    A version that was promoted before returns without an analysis of its steps (R11), promote-full
    skips it, and strategy Recreate has none.
    """
    if ctx.progress.full or ctx.active_command("promote-full") or ctx.strategy == "Recreate":
        return None
    if ctx.target in ctx.promoted_revisions:
        return None
    return ctx.template_checks.missing
