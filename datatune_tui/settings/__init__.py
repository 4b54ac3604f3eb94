"""What the place of the settings is made of."""
