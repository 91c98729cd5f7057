"""What the command line does, a module a theme. Nothing slow is imported before it is used."""
