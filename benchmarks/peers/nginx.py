"""nginx: a file in memory under the path of the weights, so that our client reads it as it does ours."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from benchmarks.processes import find_free_port
from benchmarks.servers import Server, run_nginx

CONFIG = Template("""\
daemon off;
$user
worker_processes auto;
pid $folder/nginx.pid;
events { worker_connections 1024; }
http {
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:$port;
        location = /livez { return 200; }
        location = /v1/weights { alias $folder/weights; }
    }
}
""")


@contextmanager
def make_folder() -> Iterator[Path]:
    """Make a folder in memory, or in the page cache where there is no /dev/shm; gone afterwards."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


def find_nginx() -> str:
    """Find nginx; Debian keeps it where only root looks. Raises FileNotFoundError."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise FileNotFoundError("nginx is not there: apt-get install nginx-light")
    return found


@contextmanager
def serve_file(folder: Path) -> Iterator[Server]:
    """Serve the file `weights` of a folder as /v1/weights."""
    # As root it would hand over to a user who may not read the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    port = find_free_port()
    config = CONFIG.substitute(folder=folder, port=port, user=user)
    with run_nginx(folder, find_nginx(), config, port) as server:
        yield server
