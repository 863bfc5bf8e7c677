"""The only door to Git and DVC: history, cache, pipeline files, remotes and the book of releases.

Importing a module of this package is cheap; only `tdv.store.dvc` imports DVC, and only when it is called.
"""
