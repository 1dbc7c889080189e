"""Readers of files, a module for each family of formats: bytes in, tables by name out. Nothing is executed."""
