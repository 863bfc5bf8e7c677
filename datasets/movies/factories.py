"""What the spec cannot say: titles that read like titles, and release dates."""

from datetime import date, timedelta

from tdv.factories import Factory

ADJECTIVES = (
    "Silent Crooked Golden Hidden Last Burning Borrowed Distant Velvet Broken Quiet Electric Winter Paper Second "
    "Forgotten Crimson Lonely Gentle Wild"
).split()
NOUNS = (
    "River Garden Witness Station Letter Summer Harbour Promise Orchard Shadow Machine Island Stranger Mirror Road "
    "Empire Melody Lighthouse Kitchen Frontier"
).split()
PLACES = "Lisbon Oslo Kyoto Tangier Trieste Quito Galway Tbilisi Valparaiso Dakar".split()
PATTERNS = ("The {adjective} {noun}", "{noun} of {place}", "The {noun} in {place}", "{adjective} {noun}")

FIRST_DAY = date(1950, 1, 1)
DAYS = (date(2025, 12, 31) - FIRST_DAY).days


class MovieFactory(Factory):
    """Titles and the date of the first showing."""

    def row(self, at):
        pattern = at.rng.choice(PATTERNS)
        title = pattern.format(
            adjective=at.rng.choice(ADJECTIVES), noun=at.rng.choice(NOUNS), place=at.rng.choice(PLACES)
        )
        released = FIRST_DAY + timedelta(days=at.rng.randrange(DAYS))
        return {"title": title, "released": released}
