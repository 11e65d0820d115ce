"""No edit of a template changes how a running version is judged, and no weight rises while checks
are missing (R17)."""

from __future__ import annotations

import pytest

from simulation.template_adversary import TemplateAdversary


class TemplateStories(TemplateAdversary):
    pass


TestTemplates = pytest.mark.rule("R12", "R17", "R18")(TemplateStories.TestCase)
