"""Logs: as text, or as JSON with one object a line."""

import json
import logging
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Literal

from uvicorn.config import LOGGING_CONFIG

from service.api.monitoring import REQUEST_ID


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object in ASCII. Control characters are escaped, so it is one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object: time (RFC 3339), level, logger, message and, where known, request_id.

        The fields of access lines and the traceback of an exception follow.
        """
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().rstrip(),
        }
        if request_id := REQUEST_ID.get():
            fields["request_id"] = request_id.decode()
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields).replace("\x7f", r"\u007f")  # DEL, which JSON does not escape


def make_log_config(log_format: Literal["text", "json"], log_level: str) -> dict[str, Any]:
    """Make the configuration of `logging` for a format and the least severe level of access lines."""
    config = deepcopy(LOGGING_CONFIG)
    if log_format == "json":
        config["formatters"] = {name: {"()": JsonFormatter} for name in config["formatters"]}
        config["loggers"]["weightinit.access"] = {
            **config["loggers"]["uvicorn.access"],
            "level": log_level.upper(),
        }
        config["root"] = {"handlers": ["default"], "level": "WARNING"}
    return config
