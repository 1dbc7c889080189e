"""Datasets in zarr: recipes, blocks, history, checks. The only room that writes them."""
