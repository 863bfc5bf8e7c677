"""The SQLite adapter: `target` decides and loads, the other modules know types, statements and the file format."""
