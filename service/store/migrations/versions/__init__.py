"""The migrations, one module each. `down_revision` is the previous one."""
