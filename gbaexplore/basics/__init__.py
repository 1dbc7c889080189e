"""Words that all rooms share: errors, names, time, places, the coordinates of points."""
