"""The migrations, each a module; every one says which it follows."""
