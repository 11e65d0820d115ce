"""No edit of a template judges a version that runs again, and no weight rises for want of checks
(R17)."""

from __future__ import annotations

import pytest

from simulation.template_adversary import TemplateAdversary


class TemplateStories(TemplateAdversary):
    pass


TestTemplates = pytest.mark.rule("R12", "R17", "R18")(TemplateStories.TestCase)
