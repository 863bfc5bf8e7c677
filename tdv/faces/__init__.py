"""What the faces of a report share, whatever it reports on: text that is seen, pages, Markdown that stays text."""
