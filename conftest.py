"""What has to be said before any test is collected."""

import os

# Keras picks its backend when it is first imported, and its default isn't installed here.
os.environ.setdefault("KERAS_BACKEND", "torch")

# Alembic runs it; nobody imports it.
collect_ignore = ["service/store/migrations/env.py"]
# A test runs them where the client that they use is installed.
collect_ignore_glob = ["tests/generated/use_*.py"]
