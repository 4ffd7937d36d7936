"""Bounded work: threads, shares of peers, and computations that run once for equal requests."""
