"""Arrow tables as tdv keeps them: canonical values, order, parts, digests, Parquet files, summaries."""
