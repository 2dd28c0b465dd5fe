"""The command line: parser, settings, errors as messages, places of runs."""
