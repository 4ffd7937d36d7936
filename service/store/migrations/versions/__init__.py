"""The migrations, each a module that names the one it follows."""
