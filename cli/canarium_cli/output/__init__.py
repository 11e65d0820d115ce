"""How results are printed: lines of styled text, tables, JSON and YAML, and live redrawing."""
