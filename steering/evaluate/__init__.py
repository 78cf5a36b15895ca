"""What is measured on a picture, and what may be said of the measurements."""
