"""What is wired: areas, weights, lengths; from files, tables, graphs and generators."""
