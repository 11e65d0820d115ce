"""Support for the demo and the end-to-end tests: images, installation, models and clients.

`model_servers` has real servers from PyPI, `stores` the stores that models are fetched from.
"""
