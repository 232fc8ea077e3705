"""Every shape our tables ever had, in order."""
