"""Plugins: discovery, parameters, digests of their code, conformance."""
