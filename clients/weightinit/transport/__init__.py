"""HTTP requests and responses: sessions, retries, URLs and bodies, with nothing about models."""
