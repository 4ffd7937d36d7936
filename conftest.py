"""What has to be said before any test is collected."""

import os

# Keras picks its backend when it is first imported, and its default isn't installed here.
os.environ.setdefault("KERAS_BACKEND", "torch")

# Alembic runs it; nobody imports it.
collect_ignore = ["service/store/migrations/env.py"]
