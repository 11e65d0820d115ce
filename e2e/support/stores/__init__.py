"""Stores in pods, and models that are fetched from them, for the end-to-end tests."""
