"""The DuckDB adapter: `target` decides and loads, `catalogue` knows statements, types and what a database holds."""
