"""Published fits repeated on their public data, through the public API and its defaults."""
