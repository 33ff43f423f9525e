"""What a run writes down and shows: metrics, events, the live view, curves and the report page."""
