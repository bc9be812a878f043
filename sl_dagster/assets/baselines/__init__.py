"""Other ways to responses that are long: what Self-Lengthen is compared with."""
