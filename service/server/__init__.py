"""The HTTP/1.1 server: uvicorn with request timeouts, a lingering close and a supervisor of workers.

No other folder imports uvicorn or httptools. The application runs under any ASGI server with the same bytes.
"""
