"""The PostgreSQL adapter: `target` decides, `loading` replaces tables, `templates` clones databases."""
