"""tdv: test data, versioned like code."""

__version__ = "0.1.0"
