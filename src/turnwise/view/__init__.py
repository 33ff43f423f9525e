"""`turnwise view`: runs and their episodes as pages of a browser on this machine."""
