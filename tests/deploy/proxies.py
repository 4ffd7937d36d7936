"""Run Debian's nginx and Apache with the files of deploy/, in a folder of their own and not as root."""

import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.postgres import find_free_port
from tests.servers import wait_until

ROOT = Path(__file__).parents[2]
# The authority that the client's tests trust, and a key with a certificate for the loopback address.
DATA = ROOT / "tests/clients/transport/data"
USER = "www-data"  # on every Debian
APACHE_MODULES = (
    "mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "headers", "proxy", "proxy_http",
    "socache_shmcb", "ssl",
)  # fmt: skip

NGINX_MAIN = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
APACHE_MAIN = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{modules}
Include {folder}/site.conf
"""


@dataclass
class Proxy:
    """A running proxy; its folder has its logs and its cache."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://127.0.0.1:{self.port}"

    def connect(self, address: str = "127.0.0.1", **options) -> httpx.Client:
        """Make an HTTP client that connects from an address of the machine."""
        trust = ssl.create_default_context(cafile=DATA / "ca.pem")
        transport = httpx.HTTPTransport(verify=trust, local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=60, **options)


def fill_in(path: str, values: dict[str, str]) -> str:
    """Return a file of deploy/ with ports, paths and addresses replaced. Fails if one is not there."""
    text = (ROOT / "deploy" / path).read_text("utf-8")
    for old, new in values.items():
        assert old in text, f"{path} has no {old}"
        text = text.replace(old, new)
    return text


@contextmanager
def make_folder() -> Iterator[Path]:
    """Make a folder that belongs to the proxy, with the certificate."""
    with tempfile.TemporaryDirectory(prefix="weightinit-proxy-") as name:
        folder = Path(name)
        shutil.copy(DATA / "server.pem", folder)
        if os.getuid() == 0:
            for path in (folder, folder / "server.pem"):
                shutil.chown(path, USER)
        yield folder


@contextmanager
def run_program(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a program until the block ends, as an unprivileged user. Wait until it listens."""
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command,
            user=USER if os.getuid() == 0 else None,
            group=USER if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
            cwd=folder,
            env={"PATH": "/usr/bin:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def listens() -> bool:
        texts = [path.read_text() for path in (folder / "output", folder / "error.log") if path.exists()]
        assert process.poll() is None, "\n".join(texts)
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/")
            return True
        return False

    try:
        wait_until(listens)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def run_nginx(service: int) -> Iterator[Proxy]:
    """Run nginx in front of a service that listens on a port."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "the tests of deploy/ need nginx: apt-get install nginx"
    with make_folder() as folder:
        port = find_free_port()
        site = {
            "/var/cache/": f"{folder}/",  # nginx makes a folder in it, but not the folders above
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{service};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/private/weightinit.pem": f"{folder}/server.pem",
        }
        (folder / "site.conf").write_text(fill_in("nginx/weightinit.conf", site))
        (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder))
        command = [program, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
        with run_program(command, folder, port):
            yield Proxy(port, folder)


@contextmanager
def run_apache(service: int, provider: str, **secrets: str) -> Iterator[Proxy]:
    """Run Apache in front of a service that listens on a port, with the URL of an OpenID provider."""
    program = shutil.which("apache2", path="/usr/sbin:/usr/bin")
    modules = Path("/usr/lib/apache2/modules")
    assert program, "the tests of deploy/ need Apache: apt-get install apache2-bin"
    assert (modules / "mod_auth_openidc.so").exists(), "apt-get install libapache2-mod-auth-openidc"
    with make_folder() as folder:
        port = find_free_port()
        site = {
            "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
            "https://weights.example.com/": f"https://127.0.0.1:{port}/",
            "https://login.example.com": provider,
            "http://127.0.0.1:8000/": f"http://127.0.0.1:{service}/",
            "/etc/ssl/private/weightinit.pem": f"{folder}/server.pem",
            "/etc/apache2/weightinit.secrets": f"{folder}/secrets",
        }
        lines = [f'Define {name} "{value}"\n' for name, value in secrets.items()]
        (folder / "secrets").write_text("".join(lines))
        (folder / "site.conf").write_text(fill_in("apache/oauth.conf", site))
        lines = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in APACHE_MODULES]
        main = APACHE_MAIN.format(folder=folder, port=port, modules="\n".join(lines))
        (folder / "apache.conf").write_text(main)
        command = [program, "-D", "FOREGROUND", "-f", f"{folder}/apache.conf"]
        with run_program(command, folder, port):
            yield Proxy(port, folder)


@contextmanager
def run_provider() -> Iterator[str]:
    """Run an OpenID provider at which everyone may log in, and return its URL."""
    port = find_free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://localhost:{port}"

    def answers() -> bool:
        assert process.poll() is None, "the provider ended"
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/.well-known/openid-configuration").is_success
        return False

    try:
        wait_until(answers)
        yield url
    finally:
        process.terminate()
        process.wait(60)
