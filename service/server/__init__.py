"""The HTTP/1.1 server: uvicorn, and what it leaves open between a connection and a request.

No other room imports uvicorn or httptools. The application runs under any ASGI server, with the same bytes.
"""
