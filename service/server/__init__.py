"""The HTTP/1.1 server: uvicorn with request timeouts, a limit for heads and a lingering close.

No other folder imports uvicorn or httptools. The application runs under any ASGI server with the same bytes.
"""
