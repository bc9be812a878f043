"""What all stages share: declaring an asset, its settings, its metadata and its pictures."""
