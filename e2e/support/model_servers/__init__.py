"""Real model servers from PyPI, with real models, in images for the end-to-end tests."""
