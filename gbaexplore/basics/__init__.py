"""What all rooms share: errors, numbers, names, time, places, the coordinates of points."""
