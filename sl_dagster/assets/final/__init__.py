"""What is made of all iterations together: the final data set, and the model aligned on it."""
