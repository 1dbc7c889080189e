"""Connectomes: areas, weights and lengths, from files, tables, graphs and generators."""
