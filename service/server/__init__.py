"""The server: what uvicorn leaves open between a connection and a request. Nothing else knows uvicorn."""
