"""What a run writes down of the episodes that it is trained on."""
