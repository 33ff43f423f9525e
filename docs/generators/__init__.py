"""What the pages of the documentation are made from, one part per file."""
