"""Checks a compose file against the schema of the Compose specification: `check_compose.py FILE`."""

import sys
from pathlib import Path

import compose_spec

try:
    compose_spec.PyCompose.from_yaml(Path(sys.argv[1]).read_text(encoding="utf-8")).validate()
except ValueError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
print(f"{sys.argv[1]} conforms to the Compose specification")
