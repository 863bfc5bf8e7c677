"""Frozen values that tdv computes with. No module here reads files, runs processes or imports a heavy library."""
