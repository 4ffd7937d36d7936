"""Media types of requests and responses (RFC 6838)."""

JSON = "application/json"
NPY = "application/x-npy"
OCTET_STREAM = "application/octet-stream"
PROBLEM_JSON = "application/problem+json"  # RFC 9457, section 6.1
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
SAFETENSORS = "application/x-safetensors"
