"""What has to be said before any test is collected."""

import os

# Keras picks its backend when it is first imported, and its default isn't installed here.
os.environ.setdefault("KERAS_BACKEND", "torch")

# Alembic runs one, and a test the other where the client that it uses is installed; nobody imports them.
collect_ignore = ["service/store/migrations/env.py", "tests/generated/use_openapi_python_client.py"]
