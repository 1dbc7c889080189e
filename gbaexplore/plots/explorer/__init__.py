"""The page on which one clicks on a map to see the time courses."""
