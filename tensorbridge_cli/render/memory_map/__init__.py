"""The picture of which bytes two objects reach."""
