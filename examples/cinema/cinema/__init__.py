"""A list of movies and what people think of them."""
