"""Pictures as SVG, made from values only; each has a text alternative, and colors by CSS classes.

Reading order: `svg` (elements and axes), `timeline` (who served when), `weights`, `checks`.
"""
