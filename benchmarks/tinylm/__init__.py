"""A scaling study of our own: byte-level language models, designed, trained and predicted here."""
