"""The explorer: a page with a map; a click shows a point's time courses."""
