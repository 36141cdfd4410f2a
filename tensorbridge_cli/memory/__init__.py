"""What an object is made of: the bytes that it reaches, its parts, its layout and its state."""
