"""The REST interface: it asks a service and shows the answer."""
