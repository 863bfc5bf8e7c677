"""A bookshop: books, customers, orders."""
