"""One table API over many key-value stores."""
