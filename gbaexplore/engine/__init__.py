"""A batch of points through time, by positions: arrays in, arrays out, the same bits in any batch."""
