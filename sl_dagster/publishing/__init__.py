"""What one leaves with: data sets and models as others read them, their cards, and the hub."""
