"""Studies: labelled axes over one model, and everything that follows from them."""
