"""Load: who asks what, the Locust file that sends it, and the process that runs Locust."""
