"""Images: where they come from, how they are stored, and the views of them that a network sees."""
