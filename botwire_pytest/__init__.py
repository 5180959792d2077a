"""Fixtures for the tests of agents that remember."""
