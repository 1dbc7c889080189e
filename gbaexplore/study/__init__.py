"""What is asked: labelled axes over one model, and all that follows from them."""
